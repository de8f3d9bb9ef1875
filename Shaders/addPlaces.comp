#version 460
// Adds rows of a slab, a row a slot or place, to the rows of their tokens or items, in the order of the places.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args {
    Ints order; Ints ids; Floats slab; Floats biasSlab; Floats target; Floats biasTarget; Ints rowList; Words bits;
    Words before; Floats partials; uint count; uint columns; uint isSecond; uint slabFirst; uint slabEnd; uint width;
    uint outputStride;
};
#include "push.glsl"
#include "itemMap.glsl"

uint rowColumns() { return present(args.target) ? args.width : 0; }

// The last column is the bias.
float valueOf(uint place, uint column) {
    if (place < args.slabFirst || place >= args.slabEnd) return 0.0;
    const uint at = place - args.slabFirst;
    return column < rowColumns() ? rowOf(args.slab, at, args.width).v[column] : args.biasSlab.v[at];
}

void add(uint id, uint column, float sum) {
    uint row = id;
    if (present(args.rowList)) row = uint(args.rowList.v[id]);
    if (present(args.bits)) row = rowOfItem(args.bits, args.before, id);
    if (column < rowColumns()) rowOf(args.target, row, args.outputStride).v[column] += sum;
    else args.biasTarget.v[row] += sum;
}

#define segmentIds args.ids
#define VALUE(place, column) valueOf(place, column)
#define ADD(id, column, sum) add(id, column, sum)
#include "segments.glsl"

void main() {
    if (groupNumber() >= push.endGroup) return;
    addSegments();
}
