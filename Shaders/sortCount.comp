#version 460
// How often each digit stands in each workgroup's places; counts lie digit by digit, so that a scan gives offsets.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Ints keys; Ints order; Words counts; uint count; uint shift; uint groups; };
#include "push.glsl"
#include "sort.glsl"
shared uint counts[16];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    if (lane < 16) counts[lane] = 0;
    barrier();
    for (uint step = 0; step < runLength; step++) {
        const uint place = group * groupPlaces + step * 256 + lane;
        if (place < args.count) atomicAdd(counts[uint(args.keys.v[args.order.v[place]]) >> args.shift & 15u], 1);
    }
    barrier();
    if (lane < 16) args.counts.v[lane * args.groups + group] = counts[lane];
}
