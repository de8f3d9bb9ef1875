#version 460
// Sets the bits of every item that is not excluded, 32 a thread.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Words bits; Ints excluded; uint words; uint itemCount; uint excludedCount; };
#include "push.glsl"

void main() {
    const uint word = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || word >= args.words) return;
    uint bits = 0;
    for (uint bit = 0; bit < 32; bit++) {
        const uint item = word * 32 + bit;
        if (item >= args.itemCount) break;
        if (!present(args.excluded) || !isListed(args.excluded, 0ul, args.excludedCount, int(item))) bits |= 1u << bit;
    }
    args.bits.v[word] = bits;
}
