#version 460
// The logit of each token's target, 64 tokens a workgroup; products are summed in the order of tile.glsl, so that an
// item's score here is its score in a tile.
#include "common.glsl"
layout(local_size_x = 64) in;
struct Args {
    Floats hidden; Ints hiddenRows; Ints targets; Floats catalog; Floats bias; Floats result;
    uint hiddenStride; uint catalogStride; uint width; uint count; float scale;
};
#include "push.glsl"
shared float x[64][33];
shared float y[64][33];
shared uint xRow[64];
shared uint yRow[64];

void main() {
    const uint lane = gl_LocalInvocationID.x, first = groupNumber() * 64, token = first + lane;
    if (groupNumber() >= push.endGroup) return;
    if (token < args.count) {
        xRow[lane] = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
        yRow[lane] = uint(args.targets.v[token]);
    }
    float sum = 0.0;
    for (uint k = 0; k < args.width; k += 32) {
        barrier();
        for (uint row = 0; row < min(64, args.count - first); row++) {
            const uint column = lane % 32;
            const bool isThere = k + column < args.width;
            if (lane < 32) x[row][column] = isThere ? rowOf(args.hidden, xRow[row], args.hiddenStride).v[k + column] : 0.0;
            else y[row][column] = isThere ? rowOf(args.catalog, yRow[row], args.catalogStride).v[k + column] : 0.0;
        }
        barrier();
        if (token < args.count)
            for (uint column = 0; column < 32; column++) sum = fma(x[lane][column], y[lane][column], sum);
    }
    if (token >= args.count) return;
    precise float z = args.scale * sum;
    if (present(args.bias)) z = z + args.bias.v[yRow[lane]];
    args.result.v[token] = z;
}
