#version 460
// dY and db of a tile of items of a block, a workgroup: the block's tokens pass by once, or a run of them.
#include "common.glsl"
#include "math.glsl"
#include "pairs.glsl"
#include "gradient.glsl"
layout(local_size_x = 256) in;
struct Args {
    BLOCK_MEMBERS
    GRADIENT_MEMBERS
    Floats biasTarget;  // db, or null
    Floats biasSlab;    // beside `slab`
    Words bits;         // of a row-sparse gradient, else null
    Words before;
};
#include "push.glsl"
#include "tile.glsl"
#include "tiles.glsl"
#define PASSING(column) hiddenRow(slotToken[column])
#include "gradients.glsl"
#include "itemMap.glsl"

uint outputRow(uint item) { return present(args.bits) ? rowOfItem(args.bits, args.before, item) : item; }

void putRows(uint firstPlace, uint places, uint run, uint chunk, bool isFirst) {
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        const uint at = tileRow(i / 4, i % 4);
        if (present(args.slab)) {
            const uint row = run * args.slabRows + firstPlace + at - args.slabFirst;
            if (at < places) put(rowOf(args.slab, row, args.outputStride), chunk, added[i], !isFirst);
        } else if (placeItem[at] >= 0) {
            const uint row = outputRow(uint(placeItem[at]));
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
    if (tile * tileSize >= block.placeCount || (!block.contributes && !present(args.slab) && !present(args.biasSlab)))
        return;
    const uint firstPlace = block.firstPlace + tile * tileSize, places = min(tileSize, block.placeCount - tile * tileSize);
    if (lane < tileSize) loadPlace(lane, firstPlace + lane, lane < places);
    barrier();
    [[unroll]] for (uint f = 0; f < factor; f++) leftRow[f] = catalogRow(placeItem[64 * f + loadRow()]);
    const uint slotCount = slotCountOf(number, block), end = min((slotCount + tileSize - 1) / tileSize, args.sweepTo);
    const uint tiles = !block.contributes || end < args.sweepFrom ? 0 : end - args.sweepFrom;
    const uint from = args.sweepFrom + uint(uint64_t(tiles) * run / args.runs);
    const uint to = args.sweepFrom + uint(uint64_t(tiles) * (run + 1) / args.runs);
    bool isFirst = args.isAdded == 0u;
    float bias[4 * factor];
    vec4 result[4 * factor];
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        bias[i] = 0.0;
        result[i] = vec4(0.0);
    }

    for (uint t = from; t < to; t++) {
        barrier();
        if (lane == 0) isNeeded = 0u;
        barrier();
        const uint slots = min(tileSize, slotCount - t * tileSize);
        if (lane < tileSize) loadGradientSlot(lane, block.firstSlot + t * tileSize + lane, lane < slots);
        barrier();
        if (isNeeded == 0u) continue;
        [[unroll]] for (uint f = 0; f < factor; f++) rightRow[f] = hiddenRow(slotToken[64 * f + loadRow()]);
        products(args.width);
        const uint64_t met = pairsMet(false);
        [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
            float sum = 0.0;
            [[unroll]] for (uint j = 0; j < 4 * factor; j++) {
                const uint e = i * factor + j / 4;
                const float value = term(tileColumn(j / 4, j % 4), tileRow(i / 4, i % 4), sums[e][j % 4],
                    (met >> (4 * e + j % 4) & 1ul) != 0ul);
                sums[e][j % 4] = value;
                sum += value;
            }
            bias[i] += sum;
        }
        for (uint chunk = 0; chunk < args.chunks; chunk++) {
            multiplyTerms(chunk, slots);
            if (args.chunks == 1) {
                [[unroll]] for (uint i = 0; i < 4 * factor; i++) result[i] += added[i];
            } else {
                putRows(firstPlace, places, run, chunk, isFirst);
            }
        }
        if (args.chunks > 1) isFirst = false;
    }
    // One chunk has stayed in registers; more are in memory, unless nothing passed by.
    uint left = 0;
    if (args.chunks == 1) left = 1;
    else if (isFirst && present(args.slab)) left = args.chunks;
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) added[i] = result[i];
    for (uint chunk = 0; chunk < left; chunk++) putRows(firstPlace, places, run, chunk, isFirst);
    if (!present(args.biasTarget) && !present(args.biasSlab)) return;
    barrier();
    [[unroll]] for (uint i = 0; i < 4 * factor; i++)
        tileLeft[tileRow(i / 4, i % 4) * 4 + columnGroup() / 4][columnGroup() % 4] = bias[i];
    barrier();
    if (lane >= places) return;
    float total = 0.0;
    for (uint part = 0; part < 16; part++) total += tileLeft[lane * 4 + part / 4][part % 4];
    if (present(args.biasSlab)) {
        const uint row = run * args.slabRows + firstPlace + lane - args.slabFirst;
        args.biasSlab.v[row] = (args.isAdded != 0u ? args.biasSlab.v[row] : 0.0) + total;
    } else if (placeItem[lane] >= 0) {
        args.biasTarget.v[outputRow(uint(placeItem[lane]))] += total;
    }
}
