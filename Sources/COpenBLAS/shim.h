// The products of the CPU backend. Only the CBLAS interface and OpenBLAS's thread control are used.
#pragma once
#include <cblas.h>
