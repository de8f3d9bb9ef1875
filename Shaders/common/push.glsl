// After `struct Args`: what a dispatch pushes. Large grids are cut into slices, so that none runs for long.
layout(buffer_reference, scalar) buffer ArgsAt { Args v; };
layout(push_constant, scalar) uniform Push {
    ArgsAt at;
    uint firstGroup;  // of this slice
    uint endGroup;
    uint gridWidth;
} push;
#define args push.at.v
// This workgroup's number in the whole grid, or beyond `endGroup` for one that has nothing to do.
uint groupNumber() { return push.firstGroup + gl_WorkGroupID.y * push.gridWidth + gl_WorkGroupID.x; }
