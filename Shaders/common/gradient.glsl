// Further members of blockHidden and blockCatalog, which follow BLOCK_MEMBERS.
#define GRADIENT_MEMBERS Floats logSumExp; Floats coefficients; Ints winners; uint chunks; uint outputStride;
