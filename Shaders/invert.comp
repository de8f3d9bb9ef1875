#version 460
// places[order[p]] = p.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Ints order; Ints places; uint count; };
#include "push.glsl"

void main() {
    const uint place = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() < push.endGroup && place < args.count) args.places.v[args.order.v[place]] = int(place);
}
