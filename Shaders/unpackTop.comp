#version 460
// Sorts each query's keys, a query a workgroup, unless they are in order, and takes them apart. Up to 2048 are sorted in
// shared memory, more where they lie.
#include "common.glsl"
layout(local_size_x = 256) in;
layout(buffer_reference, scalar) coherent buffer SharedKeys { uint64_t v[]; };
struct Args { SharedKeys best; Ints ids; Floats scores; uint k; uint byIndex; uint isSorted; };
#include "push.glsl"
#include "topOrder.glsl"
const uint capacity = 2048;
shared uint64_t local[capacity];

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x, k = args.k;
    if (query >= push.endGroup) return;
    SharedKeys best = SharedKeys(uint64_t(args.best) + uint64_t(query) * k * 8ul);
    const bool isLocal = k <= capacity && args.isSorted == 0u;
    if (isLocal) {
        for (uint place = lane; place < k; place += 256) local[place] = best.v[place];
    }
    barrier();
    uint padded = 1;
    while (padded < k) padded *= 2;
    for (uint size = 2; size <= padded && args.isSorted == 0u; size *= 2) {
        for (uint distance = size / 2; distance > 0; distance /= 2) {
            for (uint pair = lane; pair < padded / 2; pair += 256) {
                const uint base = firstOfPair(pair, distance), other = secondOfPair(pair, distance, size);
                if (other >= k) continue;
                if (isLocal) {
                    const uint64_t a = local[base], b = local[other];
                    if (isAfter(a, b, args.byIndex != 0u)) { local[base] = b; local[other] = a; }
                } else {
                    const uint64_t a = best.v[base], b = best.v[other];
                    if (isAfter(a, b, args.byIndex != 0u)) { best.v[base] = b; best.v[other] = a; }
                }
            }
            memoryBarrierBuffer();
            barrier();
        }
    }
    Ints ids = Ints(uint64_t(args.ids) + uint64_t(query) * k * 4ul);
    Floats scores = Floats(uint64_t(args.scores) + uint64_t(query) * k * 4ul);
    for (uint place = lane; place < k; place += 256) {
        const uint64_t key = isLocal ? local[place] : best.v[place];
        ids.v[place] = key == 0ul ? -1 : int(~uint(key));
        if (!present(args.scores)) continue;
        scores.v[place] = key == 0ul ? -infinity : scoreOf(key);
    }
}
