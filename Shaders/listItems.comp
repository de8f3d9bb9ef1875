#version 460
// The items of a map, ascending: a 64-bit word a thread.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Words bits; Words before; Ints ids; uint words; uint count; };
#include "push.glsl"

void main() {
    const uint word = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || word >= args.words) return;
    uint next = args.before.v[word];
    for (uint part = 0; part < 2; part++) {
        uint bits = args.bits.v[word * 2 + part];
        while (bits != 0u) {
            const uint bit = uint(findLSB(bits));
            bits &= bits - 1u;
            if (next < args.count) args.ids.v[next] = int(word * 64 + part * 32 + bit);
            next++;
        }
    }
}
