// The kernels for x86-64-v3: AVX2 and FMA. Chosen at run time by dispatch.c.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#define LEVEL(name) sl_avx2_##name
#include "kernels.inc"
// 16 registers of half a vector: 12 hold sums, 2 columns, 1 a number.
#define ROWS 6
#define VECTORS 1
#include "strips.inc"
#include "tiles.inc"
#pragma clang attribute pop
#endif
