#version 460
// Every element of a vector of Doubles.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Doubles target; double value; uint count; };
#include "push.glsl"

void main() {
    const uint place = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() < push.endGroup && place < args.count) args.target.v[place] = args.value;
}
