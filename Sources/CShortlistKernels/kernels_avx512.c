// The kernels for x86-64-v4: AVX-512. Chosen at run time by dispatch.c.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#define LEVEL(name) sl_avx512_##name
#include "kernels.inc"
// 32 registers: 24 sums, 2 columns, 1 number.
#define ROWS 12
#define VECTORS 2
#include "strips.inc"
#include "tiles.inc"
#pragma clang attribute pop
#endif
