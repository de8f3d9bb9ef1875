#version 460
// The k largest of a query's best so far and its list, a query a workgroup: the k-th largest key is found eight bits at
// a time, and what is not below it goes to the new best, in whatever order, for keys are sorted in the end. The lists
// are empty afterwards.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Keys best; Keys lists; Words counts; Keys thresholds; Keys result; uint k; uint capacity; };
#include "push.glsl"
shared uint histogram[256];
shared uint wanted, next;
shared uint64_t threshold;
shared bool isFound;

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x, k = args.k;
    if (query >= push.endGroup) return;
    const uint count = args.counts.v[query];
    Keys best = Keys(uint64_t(args.best) + uint64_t(query) * k * 8ul);
    Keys list = Keys(uint64_t(args.lists) + uint64_t(query) * args.capacity * 8ul);
    Keys result = Keys(uint64_t(args.result) + uint64_t(query) * k * 8ul);
    if (count == 0) {
        for (uint place = lane; place < k; place += 256) result.v[place] = best.v[place];
        return;
    }
    if (lane == 0) {
        threshold = 0ul;
        wanted = k;
        isFound = false;
        next = 0;
    }
    barrier();
    for (int shift = 56; shift >= 0; shift -= 8) {
        histogram[lane] = 0;
        barrier();
        if (!isFound) {
            const uint64_t above = shift == 56 ? 0ul : ~0ul << (shift + 8);
            for (uint place = lane; place < k + count; place += 256) {
                const uint64_t key = place < k ? best.v[place] : list.v[place - k];
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
    for (uint place = lane; place < k + count; place += 256) {
        const uint64_t key = place < k ? best.v[place] : list.v[place - k];
        if (key == 0ul || key < threshold) continue;
        const uint at = atomicAdd(next, 1);
        if (at < k) result.v[at] = key;
    }
    barrier();
    for (uint place = next + lane; place < k; place += 256) result.v[place] = 0ul;
    if (lane == 0) {
        // The k-th largest itself is unknown below the digits that were looked into: `threshold` is not above it, and
        // what is not above a full best's least cannot enter.
        args.thresholds.v[query] = next >= k && threshold > 0ul ? threshold - 1ul : 0ul;
        args.counts.v[query] = 0;
    }
}
