#version 460
// Puts each place into its id's chain, in whatever order they come; linkSort brings the chains in order.
#include "common.glsl"
layout(local_size_x = 256) in;
struct Args { Ints ids; Words bits; Words before; Ints last; Ints previous; uint count; };
#include "push.glsl"
#include "itemMap.glsl"

void main() {
    const uint place = groupNumber() * 256 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || place >= args.count) return;
    uint row = uint(args.ids.v[place]);
    if (present(args.bits)) row = rowOfItem(args.bits, args.before, row);
    args.previous.v[place] = atomicExchange(args.last.v[row], int(place));
}
