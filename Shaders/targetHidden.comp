#version 460
// dX += s·g·(p_t − 1)·y_t, a token a workgroup, and its part of the derivative by the scale.
#include "common.glsl"
#include "target.glsl"
layout(local_size_x = 64) in;
struct Args { TARGET_MEMBERS Doubles scaleParts; };
#include "push.glsl"
shared double sums[64];

void main() {
    const uint token = groupNumber(), lane = gl_LocalInvocationID.x;
    if (token >= push.endGroup) return;
    const float term = args.terms.v[token];
    if (term == 0.0) {
        if (lane == 0 && present(args.scaleParts)) args.scaleParts.v[token] = 0.0lf;
        return;
    }
    const uint row = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
    Floats x = rowOf(args.hidden, row, args.hiddenStride);
    Floats y = rowOf(args.catalog, uint(args.targets.v[token]), args.catalogStride);
    if (present(args.target)) {
        Floats target = rowOf(args.target, row, args.outputStride);
        for (uint k = lane; k < args.width; k += 64) target.v[k] += args.scale * term * y.v[k];
    }
    if (!present(args.scaleParts)) return;
    double sum = 0.0lf;
    for (uint k = lane; k < args.width; k += 64) sum += double(x.v[k]) * double(y.v[k]);
    sums[lane] = sum;
    barrier();
    for (uint distance = 32; distance > 0; distance /= 2) {
        if (lane < distance) sums[lane] += sums[lane + distance];
        barrier();
    }
    if (lane == 0) args.scaleParts.v[token] = double(term) * sums[0];
}
