#version 460
// How many columns of a tile stand above each query's target, a query a workgroup.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats scores; Ints targets; Floats targetScores; Longs counts; Ints forAll; Longs offsets; Ints ids; Floats bias;
    uint stride; uint columns; uint first; uint forAllCount;
};
#include "push.glsl"
#include "exclusions.glsl"
shared uint total;

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x;
    if (query >= push.endGroup) return;
    if (lane == 0) total = 0;
    barrier();
    Floats row = rowOf(args.scores, query, args.stride);
    const uint target = uint(args.targets.v[query]);
    const uint64_t key = topKey(args.targetScores.v[query], target);
    uint count = 0;
    for (uint column = lane; column < args.columns; column += 256) {
        const uint id = args.first + column;
        if (id == target) continue;
        float score = row.v[column];
        if (present(args.bias)) score += args.bias.v[id];
        if (topKey(score, id) <= key) continue;
        if (isExcluded(args.forAll, args.forAllCount, args.offsets, args.ids, query, int(id))) continue;
        count++;
    }
    atomicAdd(total, count);
    barrier();
    if (lane == 0) args.counts.v[query] += int64_t(total);
}
