#version 460
// The k largest of a query's best so far and its list, a query a workgroup: the k-th largest key is found eight bits at
// a time, and what is not below it goes to the new best, in whatever order, for keys are sorted in the end. The lists
// are empty afterwards; one that overflowed is noted.
#include "common.glsl"
layout(local_size_x = 256) in;
layout(buffer_reference, scalar) coherent buffer ListedKeys { uint64_t v[]; };
struct Args {
    Keys best; ListedKeys lists; Words counts; Keys thresholds; Keys result; Words overflows; Ints forAll; Longs offsets;
    Ints ids; uint k; uint capacity; uint isFirst; uint forAllCount; uint firstQuery;
};
#include "push.glsl"
#include "exclusions.glsl"
shared uint histogram[256];
shared uint wanted, next;
shared uint64_t threshold;
shared bool isFound;

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x, k = args.k;
    if (query >= push.endGroup) return;
    const uint appended = args.counts.v[query], count = min(appended, args.capacity);
    // There is no best before the first merge.
    const uint kept = args.isFirst != 0u ? 0 : k;
    Keys best = Keys(uint64_t(args.best) + uint64_t(query) * k * 8ul);
    ListedKeys list = ListedKeys(uint64_t(args.lists) + uint64_t(query) * args.capacity * 8ul);
    Keys result = Keys(uint64_t(args.result) + uint64_t(query) * k * 8ul);
    if (appended == 0) {
        for (uint place = lane; place < k; place += 256) result.v[place] = place < kept ? best.v[place] : 0ul;
        if (lane == 0 && args.isFirst != 0u) args.thresholds.v[query] = 0ul;
        return;
    }
    if (lane == 0) {
        threshold = 0ul;
        wanted = k;
        isFound = false;
        next = 0;
        if (appended > args.capacity) atomicAdd(args.overflows.v[0], 1);
    }
    if (present(args.forAll) || present(args.offsets))
        for (uint place = lane; place < count; place += 256) {
            const int id = int(~uint(list.v[place]));
            if (isExcluded(args.forAll, args.forAllCount, args.offsets, args.ids, args.firstQuery + query, id))
                list.v[place] = 0ul;
        }
    memoryBarrierBuffer();
    barrier();
    for (int shift = 56; shift >= 0; shift -= 8) {
        histogram[lane] = 0;
        barrier();
        if (!isFound) {
            const uint64_t above = shift == 56 ? 0ul : ~0ul << (shift + 8);
            for (uint place = lane; place < kept + count; place += 256) {
                const uint64_t key = place < kept ? best.v[place] : list.v[place - kept];
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
    for (uint place = lane; place < kept + count; place += 256) {
        const uint64_t key = place < kept ? best.v[place] : list.v[place - kept];
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
