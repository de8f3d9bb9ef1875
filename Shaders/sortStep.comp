#version 460
// One step of the network that sorts each query's keys where they lie, a pair a thread: for more keys than a workgroup
// should sort alone.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Keys best; uint queries; uint k; uint pairs; uint size; uint distance; uint byIndex; };
#include "push.glsl"
#include "topOrder.glsl"

void main() {
    if (groupNumber() >= push.endGroup) return;
    const uint64_t place = uint64_t(groupNumber()) * 256ul + gl_LocalInvocationID.x;
    if (place >= uint64_t(args.queries) * args.pairs) return;
    const uint query = uint(place / args.pairs), pair = uint(place % args.pairs);
    const uint first = firstOfPair(pair, args.distance), second = secondOfPair(pair, args.distance, args.size);
    if (second >= args.k) return;
    Keys keys = Keys(uint64_t(args.best) + uint64_t(query) * args.k * 8ul);
    const uint64_t a = keys.v[first], b = keys.v[second];
    if (isAfter(a, b, args.byIndex != 0u)) {
        keys.v[first] = b;
        keys.v[second] = a;
    }
}
