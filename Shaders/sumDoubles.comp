#version 460
// Adds up `count` rows of `width` Doubles in a fixed order, by one workgroup, and stores the sums or adds them.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Doubles parts; Doubles result; uint count; uint width; uint isAdded; };
#include "push.glsl"
shared double sums[256];

void main() {
    const uint lane = gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup) return;
    for (uint column = 0; column < args.width; column++) {
        double sum = 0.0lf;
        for (uint row = lane; row < args.count; row += 256) sum += args.parts.v[row * args.width + column];
        barrier();
        sums[lane] = sum;
        barrier();
        for (uint distance = 128; distance > 0; distance /= 2) {
            if (lane < distance) sums[lane] += sums[lane + distance];
            barrier();
        }
        if (lane == 0) args.result.v[column] = (args.isAdded != 0u ? args.result.v[column] : 0.0lf) + sums[0];
    }
}
