#version 460
// How many items stand above each query's target: a tile of queries × a run of items a workgroup. Counts are added to the
// low words of 64-bit numbers that were 0; there are fewer than 2^31 items.
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
shared uint above[tileSize];
shared float score[tileSize];
shared uint target[tileSize];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint first = group / args.runs * tileSize, run = group % args.runs;
    if (lane < tileSize) {
        above[lane] = 0;
        score[lane] = infinity;
        target[lane] = 0;
        if (first + lane < args.queryCount) {
            score[lane] = args.targetScores.v[first + lane];
            target[lane] = uint(args.targets.v[first + lane]);
        }
    }
    [[unroll]] for (uint f = 0; f < factor; f++) {
        const uint row = first + 64 * f + loadRow();
        leftRow[f] = row < args.queryCount ? listedRow(args.queries, args.queryRows, row, args.queryStride) : 0ul;
    }
    const uint tiles = (args.itemCount + tileSize - 1) / tileSize;
    const uint from = uint(uint64_t(tiles) * run / args.runs), to = uint(uint64_t(tiles) * (run + 1) / args.runs);
    for (uint tile = from; tile < to; tile++) {
        [[unroll]] for (uint f = 0; f < factor; f++) {
            const uint item = tile * tileSize + 64 * f + loadRow();
            rightRow[f] = item < args.itemCount ? uint64_t(rowOf(args.items, item, args.itemStride)) : 0ul;
        }
        products(args.depth);
        uint64_t isAbove = 0ul;
        [[unroll]] for (uint j = 0; j < 4 * factor; j++) {
            const uint id = tile * tileSize + tileColumn(j / 4, j % 4);
            const float bias = present(args.bias) && id < args.itemCount ? args.bias.v[id] : 0.0;
            [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
                const uint at = tileRow(i / 4, i % 4), e = i * factor + j / 4;
                float z = sums[e][j % 4];
                if (present(args.bias)) z += bias;
                // Most fail the first comparison.
                if (!(z < score[at]) && id < args.itemCount && id != target[at] && first + at < args.queryCount
                    && topKey(z, id) > topKey(score[at], target[at]))
                    isAbove |= 1ul << (4 * e + j % 4);
            }
        }
        while (isAbove != 0ul) {
            const uint low = uint(isAbove), n = low != 0u ? uint(findLSB(low)) : 32 + uint(findLSB(uint(isAbove >> 32)));
            isAbove &= isAbove - 1ul;
            const uint e = n / 4, i = e / factor, at = tileRow(i / 4, i % 4);
            const uint id = tile * tileSize + tileColumn(e % factor, n % 4);
            if (!isExcluded(args.forAll, args.forAllCount, args.offsets, args.ids, first + at, int(id)))
                atomicAdd(above[at], 1);
        }
    }
    barrier();
    if (lane < tileSize && above[lane] > 0) atomicAdd(args.counts.v[(first + lane) * 2], above[lane]);
}
