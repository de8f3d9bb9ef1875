// The order of a query's keys, and the pairs of a bitonic network whose comparisons all point one way, which serves any
// number of keys.

// In both orders the larger number comes first: a key holds the complement of its id below its score.
bool isAfter(uint64_t a, uint64_t b, bool byIndex) { return byIndex ? uint(a) < uint(b) : a < b; }

uint firstOfPair(uint pair, uint distance) { return pair / distance * distance * 2 + pair % distance; }

// The first step of a merge compares with the mirror image, so that no run is ever descending.
uint secondOfPair(uint pair, uint distance, uint size) {
    return distance == size / 2 ? pair / distance * size + size - 1 - pair % distance
                                : firstOfPair(pair, distance) + distance;
}
