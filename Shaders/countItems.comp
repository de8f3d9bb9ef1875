#version 460
// The items of each 64-bit word of a map.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Words bits; Words counts; uint words; };
#include "push.glsl"

void main() {
    const uint word = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || word >= args.words) return;
    args.counts.v[word] = bitCount(args.bits.v[word * 2]) + bitCount(args.bits.v[word * 2 + 1]);
}
