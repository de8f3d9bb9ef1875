// The derivatives of the objective by the logits of a tile, and their products with the rows that pass by: after
// tiles.glsl, for the gradients' shaders, which define PASSING(column), the address of a row.
shared float slotCoefficient[tileSize];
shared float slotLogSumExp[tileSize];
shared uint isNeeded;  // whether a slot of the tile passes a gradient

// With `max` blocks' winners are listed one after the other: those alone pass a gradient.
uint slotCountOf(uint block, Block range) {
    return present(args.keptCounts) ? uint(args.keptCounts.v[block]) : range.slotCount;
}

// Threads below tileSize call this; a barrier must stand before, `isNeeded` must be 0.
void loadGradientSlot(uint at, uint place, bool isThere) {
    const uint slot = isThere && present(args.kept) ? uint(args.kept.v[place]) : place;
    loadSlot(at, slot, isThere);
    const int token = slotToken[at];
    const float coefficient = token >= 0 ? args.coefficients.v[token] : 0.0;
    slotCoefficient[at] = coefficient;
    slotLogSumExp[at] = 0.0;
    // A slot through which no gradient flows is as if it were not there.
    if (coefficient == 0.0) {
        slotToken[at] = -1;
    } else {
        slotLogSumExp[at] = args.logSumExp.v[token];
        atomicOr(isNeeded, 1u);
    }
}

// g·p with p = e^(z − log-sum-exp), 0 for a pair that does not count.
float term(uint slot, uint place, float product, bool isMet) {
    const int item = placeItem[place];
    if (isMet || slotToken[slot] < 0 || item < 0 || item == slotTarget[slot]) return 0.0;
    const float z = fma(args.scale, product, placeShift[place]) - slotLogSumExp[slot];
    return slotCoefficient[slot] * (isNaN(z) ? nan : exponential(z));
}

// Row 64r + 4y + i, columns 4x … of 64, at 4r + i.
vec4 added[4 * factor];

vec4 passingValues(uint piece, uint chunk) {
    const uint lane = gl_LocalInvocationID.x;
    return fourOf(PASSING(16 * piece + lane / 16), chunk * 64 + lane % 16 * 4, args.width);
}

// Makes `added` of `sums`, in which the terms are by now, times 64 columns of the rows that pass by; 16 of the tile's
// columns at a time go through shared memory.
void multiplyTerms(uint chunk, uint columns) {
    [[unroll]] for (uint i = 0; i < 4 * factor; i++) added[i] = vec4(0.0);
    const uint lane = gl_LocalInvocationID.x, pieces = (columns + 15) / 16;
    vec4 next = passingValues(0, chunk);
    [[unroll]] for (uint c = 0; c < factor; c++)
        for (uint part = 0; part < 4; part++) {
            const uint piece = 4 * c + part;
            if (piece >= pieces) break;
            barrier();
            if (columnGroup() / 4 == part)
                [[unroll]] for (uint r = 0; r < factor; r++)
                    [[unroll]] for (uint j = 0; j < 4; j++)
                        tileLeft[(columnGroup() % 4 * 4 + j) * tileStride + 16 * r + rowGroup()] =
                            vec4(sums[4 * r * factor + c][j], sums[(4 * r + 1) * factor + c][j],
                                sums[(4 * r + 2) * factor + c][j], sums[(4 * r + 3) * factor + c][j]);
            tileRight[lane / 16 * tileStride + lane % 16] = next;
            barrier();
            if (piece + 1 < pieces) next = passingValues(piece + 1, chunk);
            [[unroll]] for (uint step = 0; step < tileDepth; step++) {
                const vec4 b = tileRight[step * tileStride + columnGroup()];
                [[unroll]] for (uint r = 0; r < factor; r++) {
                    const vec4 a = tileLeft[step * tileStride + 16 * r + rowGroup()];
                    [[unroll]] for (uint i = 0; i < 4; i++) added[4 * r + i] = fma(vec4(a[i]), b, added[4 * r + i]);
                }
            }
        }
}

// Stores or adds four columns of a row, times the scale.
void put(Floats row, uint chunk, vec4 values, bool isAdded) {
    const uint d = chunk * 64 + columnGroup() * 4;
    values *= args.scale;
    if (d + 4 <= args.width && (uint(uint64_t(row)) & 15u) == 0u) {
        Vectors four = Vectors(uint64_t(row) + uint64_t(d) * 4ul);
        four.v = (isAdded ? four.v : vec4(0.0)) + values;
        return;
    }
    [[dont_unroll]] for (uint j = 0; j < 4; j++)
        if (d + j < args.width) row.v[d + j] = (isAdded ? row.v[d + j] : 0.0) + values[j];
}
