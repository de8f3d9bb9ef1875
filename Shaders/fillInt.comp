#version 460
// Every element of a vector of 32-bit words.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Words target; uint count; uint value; };
#include "push.glsl"

void main() {
    const uint group = groupNumber();
    if (group >= push.endGroup) return;
    for (uint part = 0; part < 16; part++) {
        const uint place = (group * 16 + part) * 256 + gl_LocalInvocationID.x;
        if (place < args.count) args.target.v[place] = args.value;
    }
}
