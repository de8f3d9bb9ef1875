// Matrix products for the examples' layers, through OpenBLAS's CBLAS interface.
#pragma once
#include <cblas.h>
