// A tile of inner products by 256 threads: 64·factor rows × 64·factor columns. Thread (x, y) has rows 64r + 4y … and
// columns 64c + 4x …, r and c below factor: with 2, 8 × 8 products for 16 numbers read from shared memory a step.
//
// Sums run over the depth from its beginning, one fused multiply-add after the other: equal rows have equal products,
// wherever they stand and whatever the tile.
layout(constant_id = 0) const uint factor = 1;
const uint tileSize = 64 * factor;
const uint tileDepth = 16;
// In vectors: rows of shared memory are skewed by 16 bytes.
const uint tileStride = 16 * factor + 1;
shared vec4 tileLeft[tileDepth * tileStride];
shared vec4 tileRight[tileDepth * tileStride];

layout(buffer_reference, scalar, buffer_reference_align = 16) buffer Vectors { vec4 v; };

uint columnGroup() { return gl_LocalInvocationID.x % 16; }
uint rowGroup() { return gl_LocalInvocationID.x / 16; }
uint tileRow(uint r, uint i) { return 64 * r + 4 * rowGroup() + i; }
uint tileColumn(uint c, uint j) { return 64 * c + 4 * columnGroup() + j; }
// The row, of each 64 of either side, that this thread loads.
uint loadRow() { return gl_LocalInvocationID.x / 4; }

// The addresses of the rows that this thread loads, 0 for none.
uint64_t leftRow[factor];
uint64_t rightRow[factor];
// Row 64r + 4y + i, columns 64c + 4x …, at (4r + i)·factor + c.
vec4 sums[4 * factor * factor];

// Elements `at` … `at` + 3 of a row of `depth`, 0 beyond it; `at` is a multiple of 4.
vec4 fourOf(uint64_t row, uint at, uint depth) {
    vec4 result = vec4(0.0);
    if (row == 0ul || at >= depth) return result;
    if (at + 4 <= depth && (uint(row) & 15u) == 0u) return Vectors(row + uint64_t(at) * 4ul).v;
    Floats values = Floats(row);
    result.x = values.v[at];
    if (at + 1 < depth) result.y = values.v[at + 1];
    if (at + 2 < depth) result.z = values.v[at + 2];
    if (at + 3 < depth) result.w = values.v[at + 3];
    return result;
}

// Makes `sums` of the rows at leftRow and rightRow. What comes next is fetched while what is there is multiplied.
void products(uint depth) {
    [[unroll]] for (uint e = 0; e < 4 * factor * factor; e++) sums[e] = vec4(0.0);
    const uint row = loadRow(), first = gl_LocalInvocationID.x % 4 * 4;
    vec4 nextLeft[factor], nextRight[factor];
    [[unroll]] for (uint f = 0; f < factor; f++) {
        nextLeft[f] = fourOf(leftRow[f], first, depth);
        nextRight[f] = fourOf(rightRow[f], first, depth);
    }
    for (uint k = 0; k < depth; k += tileDepth) {
        barrier();
        [[unroll]] for (uint f = 0; f < factor; f++)
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint at = (first + j) * tileStride + 16 * f + row / 4;
                tileLeft[at][row % 4] = nextLeft[f][j];
                tileRight[at][row % 4] = nextRight[f][j];
            }
        barrier();
        if (k + tileDepth < depth)
            [[unroll]] for (uint f = 0; f < factor; f++) {
                nextLeft[f] = fourOf(leftRow[f], k + tileDepth + first, depth);
                nextRight[f] = fourOf(rightRow[f], k + tileDepth + first, depth);
            }
        [[unroll]] for (uint step = 0; step < tileDepth; step++) {
            vec4 b[factor];
            [[unroll]] for (uint c = 0; c < factor; c++) b[c] = tileRight[step * tileStride + 16 * c + columnGroup()];
            [[unroll]] for (uint r = 0; r < factor; r++) {
                const vec4 a = tileLeft[step * tileStride + 16 * r + rowGroup()];
                [[unroll]] for (uint i = 0; i < 4; i++)
                    [[unroll]] for (uint c = 0; c < factor; c++)
                        sums[(4 * r + i) * factor + c] = fma(vec4(a[i]), b[c], sums[(4 * r + i) * factor + c]);
            }
        }
    }
}
