#version 460
// Sorts each query's keys, a query a workgroup, and takes them apart. A bitonic network whose comparisons all point one
// way serves any number of keys; up to 2048 are sorted in shared memory, more where they lie.
#include "common.glsl"
layout(local_size_x = 256) in;
layout(buffer_reference, scalar) coherent buffer SharedKeys { uint64_t v[]; };
struct Args { SharedKeys best; Ints ids; Floats scores; uint k; uint byIndex; };
#include "push.glsl"
const uint capacity = 2048;
shared uint64_t local[capacity];

// In both orders the larger number comes first: a key holds the complement of its id below its score.
bool isAfter(uint64_t a, uint64_t b) { return args.byIndex != 0 ? uint(a) < uint(b) : a < b; }

void main() {
    const uint query = groupNumber(), lane = gl_LocalInvocationID.x, k = args.k;
    if (query >= push.endGroup) return;
    SharedKeys best = SharedKeys(uint64_t(args.best) + uint64_t(query) * k * 8ul);
    const bool isLocal = k <= capacity;
    if (isLocal) {
        for (uint place = lane; place < k; place += 256) local[place] = best.v[place];
    }
    barrier();
    uint padded = 1;
    while (padded < k) padded *= 2;
    for (uint size = 2; size <= padded; size *= 2) {
        for (uint distance = size / 2; distance > 0; distance /= 2) {
            for (uint pair = lane; pair < padded / 2; pair += 256) {
                const uint base = pair / distance * distance * 2 + pair % distance;
                // The first step of a merge compares with the mirror image, so that no run is ever descending.
                const uint other = distance == size / 2 ? pair / distance * size + size - 1 - pair % distance
                                                        : base + distance;
                if (other >= k) continue;
                if (isLocal) {
                    const uint64_t a = local[base], b = local[other];
                    if (isAfter(a, b)) { local[base] = b; local[other] = a; }
                } else {
                    const uint64_t a = best.v[base], b = best.v[other];
                    if (isAfter(a, b)) { best.v[base] = b; best.v[other] = a; }
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
