#version 460
// Merges a tile of scores into each query's best k, a query a workgroup: the k-th largest key of both together is found
// digit by digit (eight bits at a time, in shared memory), and what stands above it takes the places of what does not.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats scores; Keys best; Ints forAll; Longs offsets; Ints ids; Floats bias;
    uint stride; uint columns; uint first; uint k; uint forAllCount;
};
#include "push.glsl"
#include "exclusions.glsl"

const uint window = 1024;
shared uint64_t keys[window];
shared uint histogram[256];
shared uint freed[window];
shared uint freedCount, entrants, wanted;
shared uint64_t threshold;
shared bool isFound;

// Keys of a window of columns, 0 for those that are left out.
void load(uint query, Floats row, uint from, uint count) {
    for (uint place = gl_LocalInvocationID.x; place < window; place += 256) {
        uint64_t key = 0ul;
        if (place < count) {
            const uint id = args.first + from + place;
            if (!isExcluded(args.forAll, args.forAllCount, args.offsets, args.ids, query, int(id))) {
                float score = row.v[from + place];
                if (present(args.bias)) score += args.bias.v[id];
                key = topKey(score, id);
            }
        }
        keys[place] = key;
    }
}

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x, k = args.k;
    if (query >= push.endGroup) return;
    Floats row = rowOf(args.scores, query, args.stride);
    Keys best = Keys(uint64_t(args.best) + uint64_t(query) * k * 8ul);
    for (uint from = 0; from < args.columns; from += window) {
        barrier();
        load(query, row, from, min(window, args.columns - from));
        if (lane == 0) {
            threshold = 0ul;
            wanted = k;
            isFound = false;
            entrants = 0;
            freedCount = 0;
        }
        barrier();
        for (int shift = 56; shift >= 0; shift -= 8) {
            histogram[lane] = 0;
            barrier();
            if (!isFound) {
                const uint64_t above = shift == 56 ? 0ul : ~0ul << (shift + 8);
                for (uint place = lane; place < k; place += 256) {
                    const uint64_t key = best.v[place];
                    if ((key & above) == (threshold & above)) atomicAdd(histogram[uint(key >> shift) & 255u], 1);
                }
                for (uint place = lane; place < window; place += 256) {
                    const uint64_t key = keys[place];
                    if ((key & above) == (threshold & above)) atomicAdd(histogram[uint(key >> shift) & 255u], 1);
                }
            }
            barrier();
            if (lane == 0 && !isFound) {
                uint left = wanted;
                int digit = 255;
                for (; digit > 0 && histogram[digit] < left; digit--) left -= histogram[digit];
                threshold |= uint64_t(digit) << shift;
                // All keys of this digit are wanted: it need not be looked into.
                if (histogram[digit] == left) isFound = true;
                wanted = left;
            }
            barrier();
        }
        // Keys at or above the threshold stay or enter. Those of best below it, and empty ones, are free.
        uint position = 0;
        for (uint place = lane; place < k; place += 256) {
            const uint64_t key = best.v[place];
            if (key == 0ul || key < threshold) {
                const uint at = atomicAdd(freedCount, 1);
                if (at < window) freed[at] = place;
            }
        }
        barrier();
        for (uint place = lane; place < window; place += 256) {
            const uint64_t key = keys[place];
            if (key != 0ul && key >= threshold) {
                const uint at = atomicAdd(entrants, 1);
                // No more enter than are freed: k keys stand at or above the threshold, or it is 0.
                if (at < min(freedCount, window)) best.v[freed[at]] = key;
            }
        }
        barrier();
        memoryBarrierBuffer();
        barrier();
    }
}
