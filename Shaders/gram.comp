#version 460
// Adds Xᵀ X of `count` rows in Double, a tile of 16 × 16 of one run of rows a workgroup; gramJoin joins the runs.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Floats rows; Ints rowList; Doubles parts; uint stride; uint first; uint count; uint width; uint runs; };
#include "push.glsl"
shared float left[16][16];
shared float right[16][16];

void main() {
    const uint group = groupNumber();
    if (group >= push.endGroup) return;
    const uint across = (args.width + 15) / 16, tiles = across * across;
    const uint run = group / tiles, a = group % tiles / across * 16, b = group % across * 16;
    const uint x = gl_LocalInvocationID.x % 16, y = gl_LocalInvocationID.x / 16;
    const uint from = args.first + uint(uint64_t(args.count) * run / args.runs);
    const uint to = args.first + uint(uint64_t(args.count) * (run + 1) / args.runs);
    double sum = 0.0lf;
    for (uint first = from; first < to; first += 16) {
        barrier();
        float l = 0.0, r = 0.0;
        if (first + y < to) {
            const uint row = present(args.rowList) ? uint(args.rowList.v[first + y]) : first + y;
            Floats values = rowOf(args.rows, row, args.stride);
            if (a + x < args.width) l = values.v[a + x];
            if (b + x < args.width) r = values.v[b + x];
        }
        left[y][x] = l;
        right[y][x] = r;
        barrier();
        for (uint k = 0; k < 16; k++) sum += double(left[k][y]) * double(right[k][x]);
    }
    if (a + y < args.width && b + x < args.width)
        args.parts.v[(run * args.width + a + y) * args.width + b + x] += sum;
}
