// Sums over runs of equal ids in a sorted order, in that order: after push.glsl, for shaders whose Args have `order`,
// `count`, `columns`, `partials` and `isSecond`, and which define segmentIds, VALUE(element, column) and ADD(id, column,
// sum). Four parts of 64 threads a workgroup, a column a thread.
//
// A part has 32 places. Runs inside them are added to their rows; of a run that begins or ends elsewhere the part's share
// is kept, and a second dispatch adds up the shares: a run may have every place, and still has many workers.
const uint segmentPlaces = 32;
const uint noId = ~0u;
// The place before the part's own, those, and the one after them.
shared uint segmentId[4][segmentPlaces + 2];
shared uint segmentElement[4][segmentPlaces + 2];

uint idAt(uint place) { return place < args.count ? uint(segmentIds.v[args.order.v[place]]) : noId; }

Floats shareOf(uint number) { return Floats(uint64_t(args.partials) + uint64_t(number) * args.columns * 4ul); }

void addInside(uint number, uint part, uint lane) {
    const uint first = number * segmentPlaces;
    if (lane < segmentPlaces + 2) {
        const uint place = first + lane - 1;
        const bool isThere = place < args.count;
        segmentElement[part][lane] = isThere ? uint(args.order.v[place]) : 0;
        segmentId[part][lane] = isThere ? uint(segmentIds.v[segmentElement[part][lane]]) : noId;
    }
    barrier();
    if (first >= args.count) return;
    const uint places = min(segmentPlaces, args.count - first);
    for (uint column = lane; column < args.columns; column += 64) {
        float sum = 0.0;
        bool beganBefore = segmentId[part][0] == segmentId[part][1];
        for (uint i = 1; i <= places; i++) {
            const uint id = segmentId[part][i];
            sum += VALUE(segmentElement[part][i], column);
            if (i < places && segmentId[part][i + 1] == id) continue;
            if (beganBefore) shareOf(2 * number).v[column] = sum;
            else if (segmentId[part][i + 1] == id) shareOf(2 * number + 1).v[column] = sum;
            else ADD(id, column, sum);
            sum = 0.0;
            beganBefore = false;
        }
    }
}

// The run that begins in this part and goes on in the next.
void addAcross(uint number, uint lane) {
    const uint next = (number + 1) * segmentPlaces, id = idAt(next);
    if (id == noId || idAt(next - 1) != id) return;
    if (number > 0 && idAt(number * segmentPlaces) == id && idAt(number * segmentPlaces - 1) == id) return;
    for (uint column = lane; column < args.columns; column += 64) {
        float sum = shareOf(2 * number + 1).v[column];
        for (uint other = number + 1;; other++) {
            sum += shareOf(2 * other).v[column];
            const uint end = (other + 1) * segmentPlaces;
            if (idAt(end) != id || idAt(end - 1) != id) break;
        }
        ADD(id, column, sum);
    }
}

void addSegments() {
    const uint lane = gl_LocalInvocationID.x % 64, part = gl_LocalInvocationID.x / 64, number = groupNumber() * 4 + part;
    if (args.isSecond == 0u) addInside(number, part, lane);
    else if (number * segmentPlaces < args.count) addAcross(number, lane);
}
