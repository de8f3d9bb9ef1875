#version 460
// The ids that are not excluded, in ascending order.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Ints excluded; Ints order; uint count; uint excludedCount; };
#include "push.glsl"

void main() {
    const uint id = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || id >= args.count) return;
    uint below = 0, end = present(args.excluded) ? args.excludedCount : 0;
    const uint all = end;
    while (below < end) {
        const uint middle = (below + end) / 2;
        if (uint(args.excluded.v[middle]) < id) below = middle + 1; else end = middle;
    }
    if (below < all && uint(args.excluded.v[below]) == id) return;
    args.order.v[id - below] = int(id);
}
