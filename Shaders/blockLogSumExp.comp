#version 460
// Log-sum-exps of 64 slots of a block over a run of its items, a workgroup: logits live in registers, a tile at a time.
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
shared float runMaximum[64][17];
shared float runSum[64][17];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint run = group % args.runs, tile = group / args.runs % args.tilesPerBlock;
    const Block block = blockAt(args.firstBlock + group / args.runs / args.tilesPerBlock * args.blockStep);
    if (tile * 64 >= block.slotCount) return;
    const uint tileSlots = min(64, block.slotCount - tile * 64);
    if (lane < 64) loadSlot(lane, block.firstSlot + tile * 64 + lane, lane < tileSlots);
    barrier();
    const uint64_t left = hiddenRow(slotToken[loadRow()]);
    const uint tiles = (block.placeCount + 63) / 64;
    const uint from = uint(uint64_t(tiles) * run / args.runs), to = uint(uint64_t(tiles) * (run + 1) / args.runs);

    float maximum[4], sum[4], carry[4];
    bool isSound[4];
    [[unroll]] for (uint i = 0; i < 4; i++) {
        maximum[i] = -infinity;
        sum[i] = 0.0;
        carry[i] = 0.0;
        isSound[i] = true;
    }
    for (uint t = from; t < to; t++) {
        barrier();
        if (lane < 64) loadPlace(lane, block.firstPlace + t * 64 + lane, t * 64 + lane < block.placeCount);
        barrier();
        float z[4][4];
        products(left, catalogRow(placeItem[loadRow()]), args.width, z);
        [[unroll]] for (uint i = 0; i < 4; i++) {
            float largest = maximum[i];
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint place = columnGroup() * 4 + j;
                if (isCandidate(rowGroup() * 4 + i, place)) {
                    z[i][j] = fma(args.scale, z[i][j], placeShift[place]);
                    if (isFinite(z[i][j])) largest = max(largest, z[i][j]); else isSound[i] = false;
                } else {
                    z[i][j] = -infinity;
                }
            }
            if (largest > maximum[i]) {
                const float factor = sum[i] > 0.0 ? exponential(maximum[i] - largest) : 0.0;
                sum[i] *= factor;
                carry[i] *= factor;
                maximum[i] = largest;
            }
            float added = 0.0;
            [[unroll]] for (uint j = 0; j < 4; j++)
                if (isFinite(z[i][j])) added += exponential(z[i][j] - maximum[i]);
            // Kahan's sum: a catalog of millions loses nothing.
            precise float y = added - carry[i];
            precise float next = sum[i] + y;
            precise float error = (next - sum[i]) - y;
            carry[i] = error;
            sum[i] = next;
        }
    }
    [[unroll]] for (uint i = 0; i < 4; i++) {
        runMaximum[rowGroup() * 4 + i][columnGroup()] = maximum[i];
        runSum[rowGroup() * 4 + i][columnGroup()] = isSound[i] ? sum[i] : nan;
    }
    barrier();
    if (lane >= tileSlots) return;
    float largest = -infinity;
    for (uint part = 0; part < 16; part++) largest = max(largest, runMaximum[lane][part]);
    double total = 0.0lf;
    bool sound = true;
    for (uint part = 0; part < 16; part++) {
        if (isNaN(runSum[lane][part])) sound = false;
        else if (runSum[lane][part] > 0.0)
            total += double(runSum[lane][part]) * exponential(double(runMaximum[lane][part]) - double(largest));
    }
    const uint slot = block.firstSlot + tile * 64 + lane;
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
