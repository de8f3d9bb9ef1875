#version 460
// The slots of a block that won their tokens and pass a gradient, ascending from the block's first slot on; a block a
// workgroup. What follows works on these alone.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Longs ranges; Ints slotTokens; Ints winners; Floats coefficients; Ints kept; Ints keptCounts; };
#include "push.glsl"
shared uint counts[256];

void main() {
    const uint block = groupNumber(), lane = gl_LocalInvocationID.x;
    if (block >= push.endGroup) return;
    Longs range = Longs(uint64_t(args.ranges) + uint64_t(block) * 40ul);
    const uint first = uint(range.v[0]), slots = uint(range.v[1]);
    uint before = 0;
    for (uint from = 0; from < slots; from += 256) {
        const uint slot = first + from + lane;
        bool isKept = false;
        if (from + lane < slots) {
            const int token = args.slotTokens.v[slot];
            isKept = token >= 0 && args.winners.v[token] == int(slot) && args.coefficients.v[token] != 0.0;
        }
        counts[lane] = isKept ? 1 : 0;
        barrier();
        for (uint distance = 1; distance < 256; distance *= 2) {
            const uint left = lane >= distance ? counts[lane - distance] : 0;
            barrier();
            counts[lane] += left;
            barrier();
        }
        if (isKept) args.kept.v[first + before + counts[lane] - 1] = int(slot);
        before += counts[255];
        barrier();
    }
    if (lane == 0) args.keptCounts.v[block] = int(before);
}
