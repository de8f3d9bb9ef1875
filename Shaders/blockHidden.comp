#version 460
// dX of a tile of slots of a block, a workgroup: the block's items pass by once, or a run of them; logits, then their
// terms times Y.
#include "common.glsl"
#include "math.glsl"
#include "pairs.glsl"
#include "gradient.glsl"
layout(local_size_x = 256) in;
struct Args {
    BLOCK_MEMBERS
    GRADIENT_MEMBERS
    Doubles scaleParts;  // Σ g·p·⟨x, y⟩ a tile of slots and run, or null
};
#include "push.glsl"
#include "tile.glsl"
#include "tiles.glsl"
#define PASSING(column) catalogRow(placeItem[column])
#include "gradients.glsl"
shared double scaleSums[256];

// Adds to the rows of the result, or stores them where they are the first.
void putRows(uint firstSlot, uint slots, uint run, uint chunk, bool isFirst) {
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        const uint at = tileRow(i / 4, i % 4);
        if (present(args.slab)) {
            const uint row = run * args.slabRows + firstSlot + at - args.slabFirst;
            // No gradient is 0, whatever the items' numbers.
            if (at < slots)
                put(rowOf(args.slab, row, args.outputStride), chunk, slotToken[at] >= 0 ? added[i] : vec4(0.0), !isFirst);
        } else if (slotToken[at] >= 0) {
            const uint token = uint(slotToken[at]);
            const uint row = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
            put(rowOf(args.target, row, args.outputStride), chunk, added[i], true);
        }
    }
}

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint run = group % args.runs, tile = group / args.runs % args.tilesPerBlock;
    const uint number = args.firstBlock + group / args.runs / args.tilesPerBlock * args.blockStep;
    const Block block = blockAt(number);
    const uint slotCount = slotCountOf(number, block);
    if (tile * tileSize >= slotCount) return;
    const uint firstSlot = block.firstSlot + tile * tileSize, slots = min(tileSize, slotCount - tile * tileSize);
    if (lane == 0) isNeeded = 0u;
    barrier();
    if (lane < tileSize) loadGradientSlot(lane, firstSlot + lane, lane < slots);
    barrier();
    if (isNeeded == 0u && !present(args.slab)) return;
    [[unroll]] for (uint f = 0; f < factor; f++) leftRow[f] = hiddenRow(slotToken[64 * f + loadRow()]);
    const uint end = min((block.placeCount + tileSize - 1) / tileSize, args.sweepTo);
    const uint tiles = isNeeded == 0u || end < args.sweepFrom ? 0 : end - args.sweepFrom;
    const uint from = args.sweepFrom + uint(uint64_t(tiles) * run / args.runs);
    const uint to = args.sweepFrom + uint(uint64_t(tiles) * (run + 1) / args.runs);
    double scaleSum = 0.0lf;
    bool isFirst = args.isAdded == 0u;
    vec4 result[4 * factor];
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) result[i] = vec4(0.0);

    for (uint t = from; t < to; t++) {
        barrier();
        const uint items = min(tileSize, block.placeCount - t * tileSize);
        if (lane < tileSize) loadPlace(lane, block.firstPlace + t * tileSize + lane, lane < items);
        barrier();
        [[unroll]] for (uint f = 0; f < factor; f++) rightRow[f] = catalogRow(placeItem[64 * f + loadRow()]);
        products(args.width);
        const uint64_t met = pairsMet(true);
        [[unroll]] for (uint e = 0; e < 4 * factor * factor; e++)
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint at = tileRow(e / factor / 4, e / factor % 4), place = tileColumn(e % factor, j);
                const float product = sums[e][j];
                const float value = term(at, place, product, (met >> (4 * e + j) & 1ul) != 0ul);
                sums[e][j] = value;
                if (present(args.scaleParts) && value != 0.0) scaleSum += double(value) * double(product);
            }
        for (uint chunk = 0; chunk < args.chunks; chunk++) {
            // A sum of its own for each tile: over a large catalog, fewer roundings in a row.
            multiplyTerms(chunk, items);
            if (args.chunks == 1) {
                [[unroll]] for (uint i = 0; i < 4 * factor; i++) result[i] += added[i];
            } else {
                putRows(firstSlot, slots, run, chunk, isFirst);
            }
        }
        if (args.chunks > 1) isFirst = false;
    }
    // One chunk has stayed in registers; more are in memory, unless nothing passed by.
    uint left = 0;
    if (args.chunks == 1) left = 1;
    else if (isFirst && present(args.slab)) left = args.chunks;
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) added[i] = result[i];
    for (uint chunk = 0; chunk < left; chunk++) putRows(firstSlot, slots, run, chunk, isFirst);
    if (!present(args.scaleParts)) return;
    scaleSums[lane] = scaleSum;
    barrier();
    for (uint distance = 128; distance > 0; distance /= 2) {
        if (lane < distance) scaleSums[lane] += scaleSums[lane + distance];
        barrier();
    }
    if (lane == 0) args.scaleParts.v[(number * args.tilesPerBlock + tile) * args.runs + run] += scaleSums[0];
}
