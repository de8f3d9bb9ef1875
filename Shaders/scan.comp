#version 460
// Exclusive sums in place, by one workgroup, and the total where it is asked for.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Words values; Words total; uint count; };
#include "push.glsl"
shared uint sums[256];

void main() {
    const uint lane = gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup) return;
    uint before = 0;
    for (uint first = 0; first < args.count; first += 1024) {
        uint mine[4], sum = 0;
        for (uint j = 0; j < 4; j++) {
            const uint place = first + lane * 4 + j;
            mine[j] = sum;
            if (place < args.count) sum += args.values.v[place];
        }
        sums[lane] = sum;
        barrier();
        for (uint distance = 1; distance < 256; distance *= 2) {
            const uint left = lane >= distance ? sums[lane - distance] : 0;
            barrier();
            sums[lane] += left;
            barrier();
        }
        const uint base = before + sums[lane] - sum;
        for (uint j = 0; j < 4; j++)
            if (first + lane * 4 + j < args.count) args.values.v[first + lane * 4 + j] = base + mine[j];
        before += sums[255];
        barrier();
    }
    if (lane == 0 && present(args.total)) args.total.v[0] = before;
}
