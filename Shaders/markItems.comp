#version 460
// Sets the bits of listed items.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Ints ids; Words bits; uint count; };
#include "push.glsl"

void main() {
    const uint place = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || place >= args.count) return;
    const uint item = uint(args.ids.v[place]);
    atomicOr(args.bits.v[item / 32], 1u << (item % 32));
}
