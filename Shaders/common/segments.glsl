// Sums over runs of equal ids in a sorted order, in that order: after push.glsl, for shaders whose Args have `order`, and
// which define `segmentIds`. A workgroup has the runs that begin among 32 places, and follows each to its end; four threads a column.
const uint segmentPlaces = 32;
shared float parts[256];

uint idAt(uint place) { return uint(segmentIds.v[args.order.v[place]]); }

// The four threads' sums, known to the first of them; the whole workgroup must call this.
float joined(float sum) {
    const uint lane = gl_LocalInvocationID.x;
    barrier();
    parts[lane] = sum;
    barrier();
    return lane < 64 ? (parts[lane] + parts[lane + 64]) + (parts[lane + 128] + parts[lane + 192]) : 0.0;
}
