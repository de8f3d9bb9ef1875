#version 460
// dX of 64 slots of a block, 64 columns a workgroup: the block's items pass by once; logits, then their terms times Y.
#include "common.glsl"
#include "math.glsl"
#include "pairs.glsl"
#include "gradient.glsl"
layout(local_size_x = 256) in;
struct Args {
    BLOCK_MEMBERS
    GRADIENT_MEMBERS
    Floats target;       // dX, or null
    Doubles scaleParts;  // Σ g·p·⟨x, y⟩ a tile of slots, or null
};
#include "push.glsl"
#include "tile.glsl"
#include "tiles.glsl"
#include "gradients.glsl"
shared double scaleSums[256];

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    const uint chunk = group % args.chunks, tile = group / args.chunks % args.tilesPerBlock;
    const uint number = args.firstBlock + group / args.chunks / args.tilesPerBlock * args.blockStep;
    const Block block = blockAt(number);
    if (tile * 64 >= block.slotCount || args.sweepFrom * 64 >= block.placeCount) return;
    const uint firstSlot = block.firstSlot + tile * 64;
    if (lane < 64) loadGradientSlot(lane, firstSlot + lane, tile * 64 + lane < block.slotCount);
    barrier();
    bool isNeeded = false;
    for (uint i = 0; i < 64; i++) isNeeded = isNeeded || slotToken[i] >= 0;
    if (!isNeeded) return;
    const uint64_t left = hiddenRow(slotToken[loadRow()]);
    double scaleSum = 0.0lf;
    float result[4][4];
    [[unroll]] for (uint i = 0; i < 4; i++)
        [[unroll]] for (uint j = 0; j < 4; j++) result[i][j] = 0.0;

    const uint end = min(block.placeCount, args.sweepTo * 64);
    for (uint first = args.sweepFrom * 64; first < end; first += 64) {
        barrier();
        if (lane < 64) loadPlace(lane, block.firstPlace + first + lane, first + lane < block.placeCount);
        barrier();
        float sums[4][4];
        products(left, catalogRow(placeItem[loadRow()]), args.width, sums);
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint at = rowGroup() * 4 + i, place = columnGroup() * 4 + j;
                const float value = term(at, place, sums[i][j]);
                tileTerms[at][place] = value;
                if (value != 0.0) scaleSum += double(value) * double(sums[i][j]);
            }
        if (!present(args.target)) continue;
        // A sum of its own for each tile: over a large catalog, fewer roundings in a row.
        float added[4][4];
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) added[i][j] = 0.0;
        for (uint k = 0; k < 64; k += tileDepth) {
            barrier();
            for (uint at = lane; at < tileDepth * 64; at += 256) {
                const int item = placeItem[k + at / 64];
                const uint column = at % 64, d = chunk * 64 + column;
                tileRight[at / 64][column / 4][column % 4] =
                    item >= 0 && d < args.width ? Floats(catalogRow(item)).v[d] : 0.0;
            }
            barrier();
            [[unroll]] for (uint step = 0; step < tileDepth; step++) {
                const vec4 b = tileRight[step][columnGroup()];
                [[unroll]] for (uint i = 0; i < 4; i++) {
                    const float a = tileTerms[rowGroup() * 4 + i][k + step];
                    [[unroll]] for (uint j = 0; j < 4; j++) added[i][j] = fma(a, b[j], added[i][j]);
                }
            }
        }
        [[unroll]] for (uint i = 0; i < 4; i++)
            [[unroll]] for (uint j = 0; j < 4; j++) result[i][j] += added[i][j];
    }
    if (present(args.target)) {
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const int token = slotToken[rowGroup() * 4 + i];
            if (token < 0) continue;
            const uint row = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : uint(token);
            Floats target = rowOf(args.target, row, args.outputStride);
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint d = chunk * 64 + columnGroup() * 4 + j;
                if (d < args.width) target.v[d] += args.scale * result[i][j];
            }
        }
    }
    if (chunk != 0 || !present(args.scaleParts)) return;
    scaleSums[lane] = scaleSum;
    barrier();
    for (uint distance = 128; distance > 0; distance /= 2) {
        if (lane < distance) scaleSums[lane] += scaleSums[lane + distance];
        barrier();
    }
    if (lane == 0) args.scaleParts.v[number * args.tilesPerBlock + tile] += scaleSums[0];
}
