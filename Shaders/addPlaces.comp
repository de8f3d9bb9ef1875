#version 460
// Adds rows of a slab, a row a slot or place, to the rows of their tokens or items, in the order of the places.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Ints order; Ints ids; Floats slab; Floats biasSlab; Floats target; Floats biasTarget; Ints rowList; Words bits;
    Words before; uint from; uint to; uint slabFirst; uint slabEnd; uint width; uint outputStride;
};
#include "push.glsl"
#define segmentIds args.ids
#include "segments.glsl"
#include "itemMap.glsl"

void main() {
    const uint lane = gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup) return;
    const uint first = args.from + groupNumber() * segmentPlaces;
    const uint columns = (present(args.target) ? args.width : 0) + (present(args.biasTarget) ? 1 : 0);
    const uint rowColumns = present(args.target) ? args.width : 0;
    for (uint p = first; p < min(first + segmentPlaces, args.to); p++) {
        const uint id = idAt(p);
        if (p > args.from && idAt(p - 1) == id) continue;
        uint row = id;
        if (present(args.rowList)) row = uint(args.rowList.v[id]);
        if (present(args.bits)) row = rowOfItem(args.bits, args.before, id);
        for (uint base = 0; base < columns; base += 64) {
            const uint column = base + lane % 64;
            float sum = 0.0;
            for (uint q = p + lane / 64; q < args.to; q += 4) {
                const uint place = uint(args.order.v[q]);
                if (uint(args.ids.v[place]) != id) break;
                if (place < args.slabFirst || place >= args.slabEnd || column >= columns) continue;
                const uint at = place - args.slabFirst;
                sum += column < rowColumns ? rowOf(args.slab, at, args.width).v[column] : args.biasSlab.v[at];
            }
            sum = joined(sum);
            if (lane >= 64 || column >= columns) continue;
            if (column < rowColumns) rowOf(args.target, row, args.outputStride).v[column] += sum;
            else args.biasTarget.v[row] += sum;
        }
    }
}
