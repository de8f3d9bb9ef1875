#version 460
// The runs of blockLogSumExp, joined in order: a slot a thread.
#include "common.glsl"
#include "math.glsl"
layout(local_size_x = 256) in;
struct Args { Floats parts; Floats slots; uint count; uint runs; };
#include "push.glsl"

void main() {
    const uint slot = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || slot >= args.count) return;
    Floats pairs = Floats(uint64_t(args.parts) + uint64_t(slot) * args.runs * 8ul);
    float largest = -infinity;
    for (uint run = 0; run < args.runs; run++) largest = max(largest, pairs.v[run * 2]);
    double total = 0.0lf;
    bool sound = true;
    for (uint run = 0; run < args.runs; run++) {
        const float sum = pairs.v[run * 2 + 1];
        if (isNaN(sum)) sound = false;
        else if (sum > 0.0) total += double(sum) * exponential(double(pairs.v[run * 2]) - double(largest));
    }
    float result = -infinity;
    if (!sound) result = nan;
    else if (total > 0.0lf) result = float(double(largest) + logarithm(total));
    args.slots.v[slot] = result;
}
