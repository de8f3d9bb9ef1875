#version 460
// result += leftᵀ · rows, a tile of 64 × 64 of the result a workgroup; sums run over the rows in order.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats left; Floats rows; Ints rowList; Floats result;
    uint leftStride; uint rowStride; uint resultStride; uint count; uint leftWidth; uint width;
};
#include "push.glsl"
const uint depth = 16;
shared float tileLeft[depth][64];
shared float tileRight[depth][64];

void main() {
    const uint group = groupNumber();
    if (group >= push.endGroup) return;
    const uint across = (args.width + 63) / 64;
    const uint a = group / across * 64, b = group % across * 64;
    const uint x = gl_LocalInvocationID.x % 16, y = gl_LocalInvocationID.x / 16;
    float sums[4][4];
    [[unroll]] for (uint i = 0; i < 4; i++)
        [[unroll]] for (uint j = 0; j < 4; j++) sums[i][j] = 0.0;
    for (uint first = 0; first < args.count; first += depth) {
        barrier();
        for (uint place = gl_LocalInvocationID.x; place < depth * 64; place += 256) {
            const uint k = place / 64, column = place % 64, row = first + k;
            float l = 0.0, r = 0.0;
            if (row < args.count) {
                if (a + column < args.leftWidth) l = rowOf(args.left, row, args.leftStride).v[a + column];
                const uint listed = present(args.rowList) ? uint(args.rowList.v[row]) : row;
                if (b + column < args.width) r = rowOf(args.rows, listed, args.rowStride).v[b + column];
            }
            tileLeft[k][column] = l;
            tileRight[k][column] = r;
        }
        barrier();
        [[unroll]] for (uint k = 0; k < depth; k++)
            [[unroll]] for (uint i = 0; i < 4; i++)
                [[unroll]] for (uint j = 0; j < 4; j++)
                    sums[i][j] = fma(tileLeft[k][y * 4 + i], tileRight[k][x * 4 + j], sums[i][j]);
    }
    [[unroll]] for (uint i = 0; i < 4; i++)
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint row = a + y * 4 + i, column = b + x * 4 + j;
            if (row < args.leftWidth && column < args.width) rowOf(args.result, row, args.resultStride).v[column] += sums[i][j];
        }
}
