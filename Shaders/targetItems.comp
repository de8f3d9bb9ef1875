#version 460
// dY += s·g·(p_t − 1)·x and db += g·(p_t − 1). Tokens are sorted by their targets: many may share one, and their sum must
// not depend on who comes first.
#include "common.glsl"
#include "target.glsl"
layout(local_size_x = 256) in;
struct Args {
    TARGET_MEMBERS Floats biasTarget; Words bits; Words before; Ints order; Floats partials; uint count; uint columns;
    uint isSecond;
};
#include "push.glsl"
#include "itemMap.glsl"

uint rowColumns() { return present(args.target) ? args.width : 0; }

// The last column is the bias.
float valueOf(uint token, uint column) {
    const float term = args.terms.v[token];
    if (term == 0.0) return 0.0;
    if (column >= rowColumns()) return term;
    const uint row = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
    return args.scale * term * rowOf(args.hidden, row, args.hiddenStride).v[column];
}

void add(uint item, uint column, float sum) {
    const uint row = present(args.bits) ? rowOfItem(args.bits, args.before, item) : item;
    if (column < rowColumns()) rowOf(args.target, row, args.outputStride).v[column] += sum;
    else args.biasTarget.v[row] += sum;
}

#define segmentIds args.targets
#define VALUE(token, column) valueOf(token, column)
#define ADD(id, column, sum) add(id, column, sum)
#include "segments.glsl"

void main() {
    if (groupNumber() >= push.endGroup) return;
    addSegments();
}
