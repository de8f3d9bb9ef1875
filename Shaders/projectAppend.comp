#version 460
// A tile of 64 queries × 64 rows of a projection whose scores are not stored: keys above a query's threshold, which is
// the k-th largest so far, are appended to its list. A list has room for a whole chunk, so that none overflows.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats queries; Ints queryRows; Floats items; Ints itemRows; Keys thresholds; Words counts; Keys lists;
    Ints forAll; Longs offsets; Ints ids; Floats bias;
    uint queryStride; uint itemStride; uint firstQuery; uint queryCount; uint first; uint itemCount; uint depth;
    uint capacity; uint forAllCount;
};
#include "push.glsl"
#include "tile.glsl"
#include "exclusions.glsl"
shared uint found[64];
shared uint base[64];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint across = (args.itemCount + tileSize - 1) / tileSize;
    const uint query = group / across * tileSize, item = group % across * tileSize;
    if (lane < 64) found[lane] = 0;
    uint64_t left = 0ul, right = 0ul;
    uint row = query + loadRow();
    if (row < args.queryCount) {
        row += args.firstQuery;
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
    uint64_t keys[4][4];
    uint places[4][4];
    [[unroll]] for (uint i = 0; i < 4; i++) {
        const uint q = query + rowGroup() * 4 + i;
        const uint64_t threshold = q < args.queryCount ? args.thresholds.v[q] : ~0ul;
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint column = item + columnGroup() * 4 + j, id = args.first + column;
            uint64_t key = 0ul;
            if (column < args.itemCount) {
                float score = sums[i][j];
                if (present(args.bias)) score += args.bias.v[id];
                key = topKey(score, id);
                if (key <= threshold) key = 0ul;
                // Few get as far as this search.
                else if (isExcluded(args.forAll, args.forAllCount, args.offsets, args.ids, args.firstQuery + q, int(id)))
                    key = 0ul;
            }
            keys[i][j] = key;
            if (key != 0ul) places[i][j] = atomicAdd(found[rowGroup() * 4 + i], 1);
        }
    }
    barrier();
    if (lane < 64) base[lane] = found[lane] > 0 ? atomicAdd(args.counts.v[query + lane], found[lane]) : 0;
    barrier();
    [[unroll]] for (uint i = 0; i < 4; i++) {
        const uint at = rowGroup() * 4 + i;
        Keys list = Keys(uint64_t(args.lists) + uint64_t(query + at) * args.capacity * 8ul);
        [[unroll]] for (uint j = 0; j < 4; j++)
            if (keys[i][j] != 0ul) list.v[base[at] + places[i][j]] = keys[i][j];
    }
}
