// The kernels for any x86-64, and for other processors.
#define LEVEL(name) sl_baseline_##name
#include "kernels.inc"
// 16 registers of a quarter of a vector: 8 hold sums, 4 columns, 1 a number.
#define ROWS 2
#define VECTORS 1
#include "strips.inc"
#include "tiles.inc"
