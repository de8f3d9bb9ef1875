#version 460
// Every element of a matrix.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Floats target; uint rows; uint columns; uint stride; float value; };
#include "push.glsl"

void main() {
    const uint group = groupNumber();
    if (group >= push.endGroup) return;
    const uint64_t count = uint64_t(args.rows) * args.columns;
    for (uint part = 0; part < 16; part++) {
        const uint64_t place = (uint64_t(group) * 16ul + part) * 256ul + gl_LocalInvocationID.x;
        if (place >= count) return;
        const uint row = uint(place / args.columns);
        rowOf(args.target, row, args.stride).v[uint(place % args.columns)] = args.value;
    }
}
