#version 460
// g·(p_t − 1) of each token, a token a thread.
#include "common.glsl"
#include "math.glsl"
layout(local_size_x = 256) in;
struct Args { Floats losses; Floats coefficients; Floats terms; uint count; };
#include "push.glsl"

void main() {
    const uint token = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || token >= args.count) return;
    const float coefficient = args.coefficients.v[token], loss = args.losses.v[token];
    float term = 0.0;
    // p_t − 1 = e^−ℓ − 1, without cancellation when ℓ is tiny.
    if (coefficient != 0.0)
        term = isFinite(loss) ? float(double(coefficient) * exponentialMinusOne(-double(loss))) : nan;
    args.terms.v[token] = term;
}
