#version 460
// Inner products of queries with a range of items, a tile a workgroup.
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
    [[unroll]] for (uint f = 0; f < factor; f++) {
        uint row = query + 64 * f + loadRow();
        leftRow[f] = rightRow[f] = 0ul;
        if (row < args.queryCount) leftRow[f] = listedRow(args.queries, args.queryRows, row, args.queryStride);
        row = item + 64 * f + loadRow();
        if (row < args.itemCount) rightRow[f] = listedRow(args.items, args.itemRows, args.first + row, args.itemStride);
    }
    products(args.depth);
    [[unroll]] for (uint r = 0; r < factor; r++)
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const uint q = query + tileRow(r, i);
            if (q >= args.queryCount) continue;
            Floats target = rowOf(args.scores, q, args.scoreStride);
            [[unroll]] for (uint c = 0; c < factor; c++)
                [[unroll]] for (uint j = 0; j < 4; j++) {
                    const uint column = item + tileColumn(c, j);
                    if (column < args.itemCount) target.v[column] = sums[(4 * r + i) * factor + c][j];
                }
        }
}
