#version 460
// The direction of largest inner product of each row, 64 rows a workgroup, which sweeps the directions; ties go to the
// lower direction, NaN lies below everything.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats rows; Ints rowList; Floats directions; Ints keys;
    uint rowStride; uint directionStride; uint rowCount; uint directionCount; uint depth;
};
#include "push.glsl"
#include "tile.glsl"
shared uint64_t largest[64][17];

void main() {
    const uint first = groupNumber() * tileSize, lane = gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup) return;
    uint64_t left = 0ul;
    uint row = first + loadRow();
    if (row < args.rowCount) {
        if (present(args.rowList)) row = uint(args.rowList.v[row]);
        left = uint64_t(rowOf(args.rows, row, args.rowStride));
    }
    uint64_t best[4] = {0ul, 0ul, 0ul, 0ul};
    for (uint from = 0; from < args.directionCount; from += tileSize) {
        const uint direction = from + loadRow();
        float sums[4][4];
        products(left,
            direction < args.directionCount ? uint64_t(rowOf(args.directions, direction, args.directionStride)) : 0ul,
            args.depth, sums);
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint id = from + columnGroup() * 4 + j;
                if (id >= args.directionCount) continue;
                const uint64_t key = topKey(sums[i][j], id);
                if (key > best[i]) best[i] = key;
            }
    }
    [[unroll]] for (uint i = 0; i < 4; i++) largest[rowGroup() * 4 + i][columnGroup()] = best[i];
    barrier();
    if (lane >= 64 || first + lane >= args.rowCount) return;
    uint64_t key = 0ul;
    for (uint part = 0; part < 16; part++)
        if (largest[lane][part] > key) key = largest[lane][part];
    args.keys.v[first + lane] = int(~uint(key));
}
