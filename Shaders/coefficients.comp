#version 460
// What multiplies the gradient of each token's loss.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats weights; Ints hiddenRows; Ints winners; Doubles totals; Floats perToken; Floats result;
    double denominator; uint count; uint isMean; uint hasDenominator; float one;
};
#include "push.glsl"

void main() {
    const uint token = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || token >= args.count) return;
    // Weights and upstream gradients are the caller's: by row of X, not by ordinal.
    const uint row = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
    const float weight = present(args.weights) ? args.weights.v[row] : 1.0;
    double divisor = 1.0lf;
    if (args.isMean != 0u) divisor = args.hasDenominator != 0u ? args.denominator : args.totals.v[1];
    float result = 0.0;
    if (args.winners.v[token] >= 0 && weight != 0.0 && divisor != 0.0lf) {
        const float up = present(args.perToken) ? args.perToken.v[row] : args.one;
        result = float(double(up) * double(weight) / divisor);
    }
    args.result.v[token] = result;
}
