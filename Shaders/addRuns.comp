#version 460
// Adds the runs of a slab, one after the other, to the rows they are parts of; an element a thread.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats slab; Floats biasSlab; Floats target; Floats biasTarget; Ints rowList; Words bits; Words before; uint count;
    uint runs; uint width; uint outputStride;
};
#include "push.glsl"
#include "itemMap.glsl"

void main() {
    if (groupNumber() >= push.endGroup) return;
    const uint rowColumns = present(args.target) ? args.width : 0;
    const uint columns = rowColumns + (present(args.biasTarget) ? 1 : 0);
    const uint64_t place = uint64_t(groupNumber()) * 256ul + gl_LocalInvocationID.x;
    if (place >= uint64_t(args.count) * columns) return;
    const uint id = uint(place / columns), column = uint(place % columns);
    uint row = id;
    if (present(args.rowList)) row = uint(args.rowList.v[id]);
    if (present(args.bits)) {
        // An excluded item has no row.
        if ((args.bits.v[id / 32] >> id % 32 & 1u) == 0u) return;
        row = rowOfItem(args.bits, args.before, id);
    }
    float sum = 0.0;
    for (uint run = 0; run < args.runs; run++) {
        const uint at = run * args.count + id;
        sum += column < rowColumns ? rowOf(args.slab, at, args.width).v[column] : args.biasSlab.v[at];
    }
    if (column < rowColumns) rowOf(args.target, row, args.outputStride).v[column] += sum;
    else args.biasTarget.v[row] += sum;
}
