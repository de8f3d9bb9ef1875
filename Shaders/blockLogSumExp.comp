#version 460
// Log-sum-exps of a tile of slots of a block over a run of its items, a workgroup: logits live in registers, a tile at a
// time.
#include "common.glsl"
#include "math.glsl"
#include "pairs.glsl"
layout(local_size_x = 256) in;
struct Args {
    BLOCK_MEMBERS
    uint runs;       // into which the items of a block are cut
    Floats slots;    // with one run the result, else pairs (maximum, sum) a run
};
#include "push.glsl"
#include "tile.glsl"
#include "tiles.glsl"

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint run = group % args.runs, tile = group / args.runs % args.tilesPerBlock;
    const Block block = blockAt(args.firstBlock + group / args.runs / args.tilesPerBlock * args.blockStep);
    if (tile * tileSize >= block.slotCount) return;
    const uint tileSlots = min(tileSize, block.slotCount - tile * tileSize);
    if (lane < tileSize) loadSlot(lane, block.firstSlot + tile * tileSize + lane, lane < tileSlots);
    barrier();
    [[unroll]] for (uint f = 0; f < factor; f++) leftRow[f] = hiddenRow(slotToken[64 * f + loadRow()]);
    const uint tiles = (block.placeCount + tileSize - 1) / tileSize;
    const uint from = uint(uint64_t(tiles) * run / args.runs), to = uint(uint64_t(tiles) * (run + 1) / args.runs);

    float maximum[4 * factor], sum[4 * factor], carry[4 * factor];
    uint unsound = 0u;  // a bit a row
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        maximum[i] = -infinity;
        sum[i] = 0.0;
        carry[i] = 0.0;
    }
    for (uint t = from; t < to; t++) {
        barrier();
        if (lane < tileSize)
            loadPlace(lane, block.firstPlace + t * tileSize + lane, t * tileSize + lane < block.placeCount);
        barrier();
        [[unroll]] for (uint f = 0; f < factor; f++) rightRow[f] = catalogRow(placeItem[64 * f + loadRow()]);
        products(args.width);
        const uint64_t met = pairsMet(true);
        [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
            const uint at = tileRow(i / 4, i % 4);
            const int target = slotTarget[at];
            float z[4 * factor];
            float largest = maximum[i];
            uint worst = 0u;
            [[unroll]] for (uint j = 0; j < 4 * factor; j++) {
                const uint place = tileColumn(j / 4, j % 4), e = i * factor + j / 4;
                const int item = placeItem[place];
                const bool isOut = item < 0 || item == target || (met >> (e * 4 + j % 4) & 1ul) != 0ul;
                const float logit = fma(args.scale, sums[e][j % 4], placeShift[place]);
                // The bits of a number that is not finite lie above all others, whatever a compiler assumes.
                worst = max(worst, isOut ? 0u : floatBitsToUint(logit) & 0x7FFFFFFFu);
                z[j] = isOut ? -infinity : logit;
                largest = max(largest, z[j]);
            }
            if (worst >= 0x7F800000u) {
                unsound |= 1u << i;
                continue;
            }
            if (largest > maximum[i]) {
                const float change = sum[i] > 0.0 ? exponential(maximum[i] - largest) : 0.0;
                sum[i] *= change;
                carry[i] *= change;
                maximum[i] = largest;
            }
            if (largest == -infinity) continue;
            float added = 0.0;
            [[unroll]] for (uint j = 0; j < 4 * factor; j++) added += exponential(z[j] - largest);
            // Kahan's sum: a catalog of millions loses nothing.
            precise float y = added - carry[i];
            precise float next = sum[i] + y;
            precise float error = (next - sum[i]) - y;
            carry[i] = error;
            sum[i] = next;
        }
    }
    // Joined in the tiles' memory: 16 numbers a row.
    barrier();
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) {
        const uint at = tileRow(i / 4, i % 4) * 4 + columnGroup() / 4;
        tileLeft[at][columnGroup() % 4] = maximum[i];
        tileRight[at][columnGroup() % 4] = (unsound >> i & 1u) == 0u ? sum[i] : nan;
    }
    barrier();
    if (lane >= tileSlots) return;
    float largest = -infinity;
    for (uint part = 0; part < 16; part++) largest = max(largest, tileLeft[lane * 4 + part / 4][part % 4]);
    double total = 0.0lf;
    bool sound = true;
    for (uint part = 0; part < 16; part++) {
        const float sum = tileRight[lane * 4 + part / 4][part % 4];
        if (isNaN(sum)) sound = false;
        else if (sum > 0.0)
            total += double(sum) * exponential(double(tileLeft[lane * 4 + part / 4][part % 4]) - double(largest));
    }
    const uint slot = block.firstSlot + tile * tileSize + lane;
    if (args.runs == 1) {
        float result = -infinity;
        if (!sound) result = nan;
        else if (total > 0.0lf) result = float(double(largest) + logarithm(total));
        args.slots.v[slot] = result;
    } else {
        Floats pair = Floats(uint64_t(args.slots) + (uint64_t(slot) * args.runs + run) * 8ul);
        pair.v[0] = largest;
        pair.v[1] = sound ? float(total) : nan;
    }
}
