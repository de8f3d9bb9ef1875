#version 460
// A tile of queries × rows of a projection whose scores are not stored: keys above a query's threshold, which no more
// than k keys so far are above, are appended to its list. A list that is full counts on, and drops what comes.
//
// Tiles of rows are visited in the order t·tileStep mod tileCount, which spreads a catalog that lies in some order;
// excluded rows are appended too, and left out when the list is merged: few get as far as that.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats queries; Ints queryRows; Floats items; Ints itemRows; Keys thresholds; Words counts; Keys lists; Floats bias;
    uint queryStride; uint itemStride; uint firstQuery; uint queryCount; uint firstTile; uint endTile; uint tileStep;
    uint tileCount; uint itemCount; uint depth; uint capacity; uint isFirst;
};
#include "push.glsl"
#include "tile.glsl"
shared uint found[tileSize];
shared uint64_t thresholds[tileSize];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint across = args.endTile - args.firstTile;
    const uint query = group / across * tileSize;
    const uint item = uint(uint64_t(args.firstTile + group % across) * args.tileStep % args.tileCount) * tileSize;
    if (lane < tileSize) {
        found[lane] = 0;
        const uint64_t threshold = args.isFirst != 0u ? 0ul : query + lane < args.queryCount ? args.thresholds.v[query + lane] : 0ul;
        thresholds[lane] = query + lane < args.queryCount ? threshold : ~0ul;
    }
    [[unroll]] for (uint f = 0; f < factor; f++) {
        uint row = query + 64 * f + loadRow();
        leftRow[f] = rightRow[f] = 0ul;
        if (row < args.queryCount)
            leftRow[f] = listedRow(args.queries, args.queryRows, args.firstQuery + row, args.queryStride);
        row = item + 64 * f + loadRow();
        if (row < args.itemCount) rightRow[f] = listedRow(args.items, args.itemRows, row, args.itemStride);
    }
    products(args.depth);
    if (present(args.bias))
        [[unroll]] for (uint j = 0; j < 4 * factor; j++) {
            const uint id = item + tileColumn(j / 4, j % 4);
            const float bias = id < args.itemCount ? args.bias.v[id] : 0.0;
            [[unroll]] for (uint i = 0; i < 4 * factor; i++) sums[i * factor + j / 4][j % 4] += bias;
        }
    // Which of this thread's keys are above their thresholds; most fail the first, cheap comparison.
    uint64_t isAbove = 0ul;
    uint next[4 * factor];
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        const uint at = tileRow(i / 4, i % 4);
        const uint64_t threshold = thresholds[at];
        const float least = threshold == 0ul ? -infinity : scoreOf(threshold);
        uint count = 0;
        [[unroll]] for (uint j = 0; j < 4 * factor; j++) {
            const float score = sums[i * factor + j / 4][j % 4];
            const uint id = item + tileColumn(j / 4, j % 4);
            if (!(score < least) && id < args.itemCount && topKey(score, id) > threshold) {
                isAbove |= 1ul << ((i * factor + j / 4) * 4 + j % 4);
                count++;
            }
        }
        next[i] = count > 0 ? atomicAdd(found[at], count) : 0;
    }
    barrier();
    // One addition in memory for each row.
    if (lane < tileSize) found[lane] = found[lane] > 0 ? atomicAdd(args.counts.v[query + lane], found[lane]) : 0;
    barrier();
    if (isAbove == 0ul) return;
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        const uint at = tileRow(i / 4, i % 4);
        Keys list = Keys(uint64_t(args.lists) + uint64_t(query + at) * args.capacity * 8ul);
        uint place = found[at] + next[i];
        [[unroll]] for (uint j = 0; j < 4 * factor; j++)
            if ((isAbove >> ((i * factor + j / 4) * 4 + j % 4) & 1ul) != 0ul) {
                if (place < args.capacity)
                    list.v[place] = topKey(sums[i * factor + j / 4][j % 4], item + tileColumn(j / 4, j % 4));
                place++;
            }
    }
}
