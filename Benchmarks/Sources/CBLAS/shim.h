// The products of the floor, through OpenBLAS's CBLAS interface.
#pragma once
#include <cblas.h>
