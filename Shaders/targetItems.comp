#version 460
// dY += s·g·(p_t − 1)·x and db += g·(p_t − 1). Tokens are sorted by their targets: many may share one, and their sum must
// not depend on who comes first.
#include "common.glsl"
#include "target.glsl"
layout(local_size_x = 256) in;
struct Args { TARGET_MEMBERS Floats biasTarget; Words bits; Words before; Ints order; uint from; uint to; };
#include "push.glsl"
#define segmentIds args.targets
#include "segments.glsl"
#include "itemMap.glsl"

void main() {
    const uint lane = gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup) return;
    const uint first = args.from + groupNumber() * segmentPlaces;
    const uint rowColumns = present(args.target) ? args.width : 0;
    const uint columns = rowColumns + (present(args.biasTarget) ? 1 : 0);
    for (uint p = first; p < min(first + segmentPlaces, args.to); p++) {
        const uint id = idAt(p);
        if (p > args.from && idAt(p - 1) == id) continue;
        const uint row = present(args.bits) ? rowOfItem(args.bits, args.before, id) : id;
        for (uint base = 0; base < columns; base += 64) {
            const uint column = base + lane % 64;
            float sum = 0.0;
            for (uint q = p + lane / 64; q < args.to; q += 4) {
                const uint token = uint(args.order.v[q]);
                if (uint(args.targets.v[token]) != id) break;
                const float term = args.terms.v[token];
                if (term == 0.0 || column >= columns) continue;
                if (column < rowColumns) {
                    const uint from = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
                    sum += args.scale * term * rowOf(args.hidden, from, args.hiddenStride).v[column];
                } else {
                    sum += term;
                }
            }
            sum = joined(sum);
            if (lane >= 64 || column >= columns) continue;
            if (column < rowColumns) rowOf(args.target, row, args.outputStride).v[column] += sum;
            else args.biasTarget.v[row] += sum;
        }
    }
}
