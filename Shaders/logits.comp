#version 460
// Inner products of queries with a range of items, a tile of 64 × 64 a workgroup.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats queries; Ints queryRows; Floats items; Ints itemRows; Floats scores;
    uint queryStride; uint itemStride; uint scoreStride; uint queryCount; uint first; uint itemCount; uint depth;
};
#include "push.glsl"
#include "tile.glsl"

void main() {
    const uint group = groupNumber();
    if (group >= push.endGroup) return;
    const uint across = (args.itemCount + tileSize - 1) / tileSize;
    const uint query = group / across * tileSize, item = group % across * tileSize;
    uint64_t left = 0ul, right = 0ul;
    uint row = query + loadRow();
    if (row < args.queryCount) {
        if (present(args.queryRows)) row = uint(args.queryRows.v[row]);
        left = uint64_t(rowOf(args.queries, row, args.queryStride));
    }
    row = item + loadRow();
    if (row < args.itemCount) {
        row += args.first;
        if (present(args.itemRows)) row = uint(args.itemRows.v[row]);
        right = uint64_t(rowOf(args.items, row, args.itemStride));
    }
    float sums[4][4];
    products(left, right, args.depth, sums);
    [[unroll]] for (uint i = 0; i < 4; i++) {
        const uint q = query + rowGroup() * 4 + i;
        if (q >= args.queryCount) break;
        Floats target = rowOf(args.scores, q, args.scoreStride);
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint column = item + columnGroup() * 4 + j;
            if (column < args.itemCount) target.v[column] = sums[i][j];
        }
    }
}
