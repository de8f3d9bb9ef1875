// A tile of 64 × 64 inner products by 256 threads, 4 × 4 each: thread (x, y) has rows 4y … and columns 4x ….
//
// Sums run over the depth from its beginning, one fused multiply-add after the other: equal rows have equal products,
// wherever they stand.
const uint tileSize = 64;
const uint tileDepth = 16;
shared vec4 tileLeft[tileDepth][tileSize / 4 + 1];
shared vec4 tileRight[tileDepth][tileSize / 4 + 1];

uint columnGroup() { return gl_LocalInvocationID.x % 16; }
uint rowGroup() { return gl_LocalInvocationID.x / 16; }
// The row of either side that this thread loads.
uint loadRow() { return gl_LocalInvocationID.x / 4; }

// `left` and `right` are the addresses of the rows that this thread loads, 0 for none.
void products(uint64_t left, uint64_t right, uint depth, out float sums[4][4]) {
    [[unroll]] for (uint i = 0; i < 4; i++)
        [[unroll]] for (uint j = 0; j < 4; j++) sums[i][j] = 0.0;
    const uint row = loadRow(), first = gl_LocalInvocationID.x % 4 * 4;
    for (uint k = 0; k < depth; k += tileDepth) {
        barrier();
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint at = k + first + j;
            tileLeft[first + j][row / 4][row % 4] = left != 0ul && at < depth ? Floats(left).v[at] : 0.0;
            tileRight[first + j][row / 4][row % 4] = right != 0ul && at < depth ? Floats(right).v[at] : 0.0;
        }
        barrier();
        [[unroll]] for (uint step = 0; step < tileDepth; step++) {
            const vec4 a = tileLeft[step][rowGroup()], b = tileRight[step][columnGroup()];
            [[unroll]] for (uint i = 0; i < 4; i++)
                [[unroll]] for (uint j = 0; j < 4; j++) sums[i][j] = fma(a[i], b[j], sums[i][j]);
        }
    }
}
