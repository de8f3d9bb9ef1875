#version 460
// How many items stand above each query's target: 64 queries × a run of items a workgroup. Counts are added to the low
// words of 64-bit numbers that were 0; there are fewer than 2^31 items.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats queries; Ints queryRows; Floats items; Ints targets; Floats targetScores; Words counts;
    Ints forAll; Longs offsets; Ints ids; Floats bias;
    uint queryStride; uint itemStride; uint queryCount; uint itemCount; uint depth; uint runs; uint forAllCount;
};
#include "push.glsl"
#include "tile.glsl"
#include "exclusions.glsl"
shared uint above[64];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint first = group / args.runs * tileSize, run = group % args.runs;
    if (lane < 64) above[lane] = 0;
    uint64_t left = 0ul;
    uint row = first + loadRow();
    if (row < args.queryCount) {
        if (present(args.queryRows)) row = uint(args.queryRows.v[row]);
        left = uint64_t(rowOf(args.queries, row, args.queryStride));
    }
    uint target[4], count[4] = {0, 0, 0, 0};
    uint64_t keys[4];
    [[unroll]] for (uint i = 0; i < 4; i++) {
        const uint query = first + rowGroup() * 4 + i;
        const bool isThere = query < args.queryCount;
        target[i] = isThere ? uint(args.targets.v[query]) : 0;
        keys[i] = isThere ? topKey(args.targetScores.v[query], target[i]) : ~0ul;
    }
    const uint tiles = (args.itemCount + tileSize - 1) / tileSize;
    const uint from = uint(uint64_t(tiles) * run / args.runs), to = uint(uint64_t(tiles) * (run + 1) / args.runs);
    for (uint tile = from; tile < to; tile++) {
        const uint item = tile * tileSize + loadRow();
        float sums[4][4];
        products(left, item < args.itemCount ? uint64_t(rowOf(args.items, item, args.itemStride)) : 0ul, args.depth, sums);
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint id = tile * tileSize + columnGroup() * 4 + j;
                if (id >= args.itemCount || id == target[i]) continue;
                float score = sums[i][j];
                if (present(args.bias)) score += args.bias.v[id];
                if (topKey(score, id) <= keys[i]) continue;
                const uint query = first + rowGroup() * 4 + i;
                if (!isExcluded(args.forAll, args.forAllCount, args.offsets, args.ids, query, int(id))) count[i]++;
            }
    }
    barrier();
    [[unroll]] for (uint i = 0; i < 4; i++)
        if (count[i] > 0) atomicAdd(above[rowGroup() * 4 + i], count[i]);
    barrier();
    if (lane < 64 && above[lane] > 0) atomicAdd(args.counts.v[(first + lane) * 2], above[lane]);
}
