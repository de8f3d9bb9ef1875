#version 460
// dY and db of 64 items of a block, 64 columns a workgroup: the block's tokens pass by once. Blocks of one dispatch have
// no item in common, so that each row has one writer.
#include "common.glsl"
#include "math.glsl"
#include "pairs.glsl"
#include "gradient.glsl"
layout(local_size_x = 256) in;
struct Args {
    BLOCK_MEMBERS
    GRADIENT_MEMBERS
    Floats target;      // dY, or null
    Floats biasTarget;  // db, or null
    Words bits;         // of a row-sparse gradient, else null
    Words before;
};
#include "push.glsl"
#include "tile.glsl"
#include "tiles.glsl"
#include "gradients.glsl"
#include "itemMap.glsl"

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint chunk = group % args.chunks, tile = group / args.chunks % args.tilesPerBlock;
    const Block block = blockAt(args.firstBlock + group / args.chunks / args.tilesPerBlock * args.blockStep);
    if (tile * 64 >= block.placeCount || args.sweepFrom * 64 >= block.slotCount || !block.contributes) return;
    if (lane < 64)
        loadPlace(lane, block.firstPlace + tile * 64 + lane, tile * 64 + lane < block.placeCount);
    barrier();
    const uint64_t right = catalogRow(placeItem[loadRow()]);
    float result[4][4], bias = 0.0;
    [[unroll]] for (uint i = 0; i < 4; i++)
        [[unroll]] for (uint j = 0; j < 4; j++) result[i][j] = 0.0;

    const uint end = min(block.slotCount, args.sweepTo * 64);
    for (uint first = args.sweepFrom * 64; first < end; first += 64) {
        barrier();
        if (lane < 64) loadGradientSlot(lane, block.firstSlot + first + lane, first + lane < block.slotCount);
        barrier();
        bool isNeeded = false;
        for (uint i = 0; i < 64; i++) isNeeded = isNeeded || slotToken[i] >= 0;
        if (!isNeeded) continue;
        float sums[4][4];
        products(hiddenRow(slotToken[loadRow()]), right, args.width, sums);
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint at = rowGroup() * 4 + i, place = columnGroup() * 4 + j;
                tileTerms[at][place] = term(at, place, sums[i][j]);
            }
        barrier();
        if (lane < 64) {
            float sum = 0.0;
            for (uint at = 0; at < 64; at++) sum += tileTerms[at][lane];
            bias += sum;
        }
        if (!present(args.target)) continue;
        float added[4][4];
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) added[i][j] = 0.0;
        for (uint k = 0; k < 64; k += tileDepth) {
            barrier();
            for (uint at = lane; at < tileDepth * 64; at += 256) {
                const int token = slotToken[k + at / 64];
                const uint column = at % 64, d = chunk * 64 + column;
                tileLeft[at / 64][column / 4][column % 4] =
                    token >= 0 && d < args.width ? Floats(hiddenRow(token)).v[d] : 0.0;
            }
            barrier();
            [[unroll]] for (uint step = 0; step < tileDepth; step++) {
                const vec4 b = tileLeft[step][columnGroup()];
                [[unroll]] for (uint i = 0; i < 4; i++) {
                    const float a = tileTerms[k + step][rowGroup() * 4 + i];
                    [[unroll]] for (uint j = 0; j < 4; j++) added[i][j] = fma(a, b[j], added[i][j]);
                }
            }
        }
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) result[i][j] += added[i][j];
    }
    if (present(args.target)) {
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const int item = placeItem[rowGroup() * 4 + i];
            if (item < 0) continue;
            const uint row = present(args.bits) ? rowOfItem(args.bits, args.before, uint(item)) : uint(item);
            Floats target = rowOf(args.target, row, args.outputStride);
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint d = chunk * 64 + columnGroup() * 4 + j;
                if (d < args.width) target.v[d] += args.scale * result[i][j];
            }
        }
    }
    if (chunk == 0 && lane < 64 && present(args.biasTarget) && placeItem[lane] >= 0) {
        const uint item = uint(placeItem[lane]);
        args.biasTarget.v[present(args.bits) ? rowOfItem(args.bits, args.before, item) : item] += bias;
    }
}
