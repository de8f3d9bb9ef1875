#version 460
// Moves ids to their places by one digit, equal digits in the order they had. Of up to 64 workgroups each sums up the
// counts itself; of more, scan has done so.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Ints keys; Ints order; Ints result; Words offsets; uint count; uint shift; uint groups; uint isScanned; };
#include "push.glsl"
#include "sort.glsl"
// Two counts of 16 bits a word: a workgroup has 4096 places.
shared uint counts[8][256];
shared uint table[16 * 64];
shared uint sums[256];

// Exclusive sums of all workgroups' counts.
void scanTable() {
    const uint lane = gl_LocalInvocationID.x, count = 16 * args.groups;
    uint mine[4], sum = 0;
    for (uint j = 0; j < 4; j++) {
        mine[j] = sum;
        if (lane * 4 + j < count) sum += args.offsets.v[lane * 4 + j];
    }
    sums[lane] = sum;
    barrier();
    for (uint distance = 1; distance < 256; distance *= 2) {
        const uint left = lane >= distance ? sums[lane - distance] : 0;
        barrier();
        sums[lane] += left;
        barrier();
    }
    for (uint j = 0; j < 4; j++) table[lane * 4 + j] = sums[lane] - sum + mine[j];
}

void main() {
    const uint group = groupNumber(), lane = gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    if (args.isScanned == 0u) scanTable();
    for (uint word = 0; word < 8; word++) counts[word][lane] = 0;
    const uint first = group * groupPlaces + lane * runLength;
    for (uint step = 0; step < runLength; step++) {
        if (first + step >= args.count) break;
        const uint digit = uint(args.keys.v[args.order.v[first + step]]) >> args.shift & 15u;
        counts[digit / 2][lane] += 1u << (digit % 2 * 16);
    }
    barrier();
    // Sums over the threads before: no half word overflows below 65536.
    for (uint distance = 1; distance < 256; distance *= 2) {
        uint left[8];
        for (uint word = 0; word < 8; word++) left[word] = lane >= distance ? counts[word][lane - distance] : 0;
        barrier();
        for (uint word = 0; word < 8; word++) counts[word][lane] += left[word];
        barrier();
    }
    uint next[16];
    for (uint digit = 0; digit < 16; digit++) {
        const uint before = lane > 0 ? counts[digit / 2][lane - 1] >> (digit % 2 * 16) & 0xFFFFu : 0;
        const uint place = digit * args.groups + group;
        next[digit] = (args.isScanned != 0u ? args.offsets.v[place] : table[place]) + before;
    }
    for (uint step = 0; step < runLength; step++) {
        if (first + step >= args.count) break;
        const int id = args.order.v[first + step];
        const uint digit = uint(args.keys.v[id]) >> args.shift & 15u;
        args.result.v[next[digit]++] = id;
    }
}
