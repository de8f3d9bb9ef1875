#version 460
// The direction of largest inner product of each row, a tile of rows a workgroup, which sweeps the directions; ties go to
// the lower direction, NaN lies below everything.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats rows; Ints rowList; Floats directions; Ints keys;
    uint rowStride; uint directionStride; uint rowCount; uint directionCount; uint depth;
};
#include "push.glsl"
#include "tile.glsl"
shared uint64_t largest[tileSize];
const uint none = ~0u;

void main() {
    const uint first = groupNumber() * tileSize, lane = gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup) return;
    if (lane < tileSize) largest[lane] = 0ul;
    [[unroll]] for (uint f = 0; f < factor; f++) {
        const uint row = first + 64 * f + loadRow();
        leftRow[f] = row < args.rowCount ? listedRow(args.rows, args.rowList, row, args.rowStride) : 0ul;
    }
    float best[4 * factor];
    uint bestId[4 * factor];
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        best[i] = -infinity;
        bestId[i] = none;
    }
    for (uint from = 0; from < args.directionCount; from += tileSize) {
        [[unroll]] for (uint f = 0; f < factor; f++) {
            const uint direction = from + 64 * f + loadRow();
            rightRow[f] = direction < args.directionCount
                ? uint64_t(rowOf(args.directions, direction, args.directionStride)) : 0ul;
        }
        products(args.depth);
        // A thread's directions ascend: the first of equals stays.
        [[unroll]] for (uint i = 0; i < 4 * factor; i++)
            [[unroll]] for (uint c = 0; c < factor; c++)
                [[unroll]] for (uint j = 0; j < 4; j++) {
                    const uint id = from + tileColumn(c, j);
                    const float score = sums[i * factor + c][j];
                    if (id < args.directionCount && (score > best[i] || (score == best[i] && bestId[i] == none))) {
                        best[i] = score;
                        bestId[i] = id;
                    }
                }
    }
    barrier();
    // One column group after the other: 64-bit atomics are optional.
    for (uint part = 0; part < 16; part++) {
        if (columnGroup() == part)
            [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
                const uint64_t key = bestId[i] == none ? 0ul : topKey(best[i], bestId[i]);
                const uint row = tileRow(i / 4, i % 4);
                if (key > largest[row]) largest[row] = key;
            }
        barrier();
    }
    if (lane >= tileSize || first + lane >= args.rowCount) return;
    // Where all products are NaN, the first of them.
    args.keys.v[first + lane] = largest[lane] == 0ul ? 0 : int(~uint(largest[lane]));
}
