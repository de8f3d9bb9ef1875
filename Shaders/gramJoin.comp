#version 460
// The runs of gram, added in order.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Doubles parts; Doubles result; uint count; uint runs; };
#include "push.glsl"

void main() {
    const uint place = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || place >= args.count) return;
    double sum = 0.0lf;
    for (uint run = 0; run < args.runs; run++) sum += args.parts.v[run * args.count + place];
    args.result.v[place] = sum;
}
