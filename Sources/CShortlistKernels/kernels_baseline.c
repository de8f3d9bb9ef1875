// The kernels for any x86-64, and for other processors.
#define LEVEL(name) sl_baseline_##name
#include "kernels.inc"
