#version 460
// The k largest of a query's best so far and its list, a query a workgroup: below the bits that all keys share, the k-th
// largest is found eight bits at a time, and what is not below it goes to the new best, in whatever order, for keys are
// sorted in the end. The lists are empty afterwards; one that overflowed is noted.
#include "common.glsl"
layout(local_size_x = 256) in;
layout(buffer_reference, scalar) coherent buffer ListedKeys { uint64_t v[]; };
struct Args {
    Keys best; ListedKeys lists; Words counts; Keys thresholds; Keys result; Words overflows; Ints forAll; Longs offsets;
    Ints ids; uint k; uint capacity; uint isFirst; uint forAllCount; uint firstQuery;
};
#include "push.glsl"
#include "exclusions.glsl"
shared uint counts[256];
shared uint64_t all[256];   // the bits that every key has
shared uint64_t some[256];  // the bits that a key has
shared uint next, digit, inDigit, aboveDigit;

Keys best;
ListedKeys list;
uint kept;

uint64_t keyAt(uint place) { return place < kept ? best.v[place] : list.v[place - kept]; }

// Sums of `counts` from each place to the end.
void sumToEnd() {
    const uint lane = gl_LocalInvocationID.x;
    for (uint distance = 1; distance < 256; distance *= 2) {
        barrier();
        const uint right = lane + distance < 256 ? counts[lane + distance] : 0;
        barrier();
        counts[lane] += right;
    }
    barrier();
}

// A number that k of `count` keys, none of them 0, are not below: the k-th largest, or one between it and the next.
// 0 where there are no more than k.
uint64_t leastOfTop(uint k, uint count) {
    const uint lane = gl_LocalInvocationID.x;
    uint there = 0;
    all[lane] = ~0ul;
    some[lane] = 0ul;
    for (uint place = lane; place < count; place += 256) {
        const uint64_t key = keyAt(place);
        if (key == 0ul) continue;
        there++;
        all[lane] &= key;
        some[lane] |= key;
    }
    counts[lane] = there;
    for (uint distance = 128; distance > 0; distance /= 2) {
        barrier();
        if (lane < distance) {
            counts[lane] += counts[lane + distance];
            all[lane] &= all[lane + distance];
            some[lane] |= some[lane + distance];
        }
    }
    barrier();
    if (counts[0] <= k) return 0ul;
    const uint64_t differing = all[0] ^ some[0];
    const uint high = uint(differing >> 32);
    uint bits = high != 0u ? 33 + uint(findMSB(high)) : 1 + uint(findMSB(uint(differing)));
    uint64_t threshold = bits == 64 ? 0ul : all[0] >> bits << bits;
    uint wanted = k;
    while (bits > 0) {
        const uint width = min(8, bits), shift = bits - width;
        barrier();
        counts[lane] = 0;
        barrier();
        for (uint place = lane; place < count; place += 256) {
            const uint64_t key = keyAt(place);
            if (key != 0ul && (bits == 64 || key >> bits == threshold >> bits))
                atomicAdd(counts[uint(key >> shift) & ((1u << width) - 1u)], 1);
        }
        sumToEnd();
        const uint above = lane < 255 ? counts[lane + 1] : 0;
        if (above < wanted && wanted <= counts[lane]) {
            digit = lane;
            inDigit = counts[lane] - above;
            aboveDigit = above;
        }
        barrier();
        threshold |= uint64_t(digit) << shift;
        wanted -= aboveDigit;
        // All keys of this digit are wanted: it need not be looked into.
        if (inDigit == wanted) break;
        bits = shift;
    }
    return threshold;
}

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x, k = args.k;
    if (query >= push.endGroup) return;
    const uint appended = args.counts.v[query], count = min(appended, args.capacity);
    // There is no best before the first merge.
    kept = args.isFirst != 0u ? 0 : k;
    best = Keys(uint64_t(args.best) + uint64_t(query) * k * 8ul);
    list = ListedKeys(uint64_t(args.lists) + uint64_t(query) * args.capacity * 8ul);
    Keys result = Keys(uint64_t(args.result) + uint64_t(query) * k * 8ul);
    if (appended == 0) {
        for (uint place = lane; place < k; place += 256) result.v[place] = place < kept ? best.v[place] : 0ul;
        if (lane == 0 && args.isFirst != 0u) args.thresholds.v[query] = 0ul;
        return;
    }
    if (lane == 0) {
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
    const uint64_t threshold = leastOfTop(k, kept + count);
    for (uint place = lane; place < kept + count; place += 256) {
        const uint64_t key = keyAt(place);
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
