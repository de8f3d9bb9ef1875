// What every kernel has: arguments behind one address, a linear workgroup number, numbers in their order.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(buffer_reference, scalar) buffer Floats { float v[]; };
layout(buffer_reference, scalar) buffer Ints { int v[]; };
layout(buffer_reference, scalar) buffer Words { uint v[]; };
layout(buffer_reference, scalar) buffer Longs { int64_t v[]; };
layout(buffer_reference, scalar) buffer Keys { uint64_t v[]; };
layout(buffer_reference, scalar) buffer Doubles { double v[]; };


// Optional arguments are null where there is none.
#define present(pointer) (uint64_t(pointer) != 0ul)

// Row `index` of a matrix; element offsets are 64 bits wide.
Floats rowOf(Floats m, uint index, uint stride) { return Floats(uint64_t(m) + uint64_t(index) * stride * 4ul); }
// The address of row `index` of a list of rows, or of all of them where there is none.
uint64_t listedRow(Floats m, Ints list, uint index, uint stride) {
    return uint64_t(rowOf(m, present(list) ? uint(list.v[index]) : index, stride));
}

// Built-in tests may be optimised away where a compiler assumes finite numbers.
bool isFinite(float x) { return (floatBitsToUint(x) & 0x7F800000u) != 0x7F800000u; }
bool isNaN(float x) { return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u; }
#define nan uintBitsToFloat(0x7FC00000u)
#define infinity uintBitsToFloat(0x7F800000u)

// TopKey.ordered: NaN below everything, −0 as +0.
uint ordered(float x) {
    uint bits = floatBitsToUint(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0u;
    if (bits == 0x80000000u) bits = 0u;
    return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}
uint64_t topKey(float score, uint id) { return (uint64_t(ordered(score)) << 32) | uint64_t(~id); }
// The score in a key.
float scoreOf(uint64_t key) {
    const uint high = uint(key >> 32);
    return high == 0u ? nan : uintBitsToFloat((high & 0x80000000u) != 0u ? high & 0x7FFFFFFFu : ~high);
}

// Whether ids[from ..< to], ascending, holds `id`.
bool isListed(Ints ids, uint64_t from, uint64_t to, int id) {
    const uint64_t end = to;
    while (from < to) {
        uint64_t middle = (from + to) / 2ul;
        if (ids.v[uint(middle)] < id) from = middle + 1ul; else to = middle;
    }
    return from < end && ids.v[uint(from)] == id;
}
