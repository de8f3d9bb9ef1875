// Further members of blockHidden and blockCatalog, which follow BLOCK_MEMBERS.
#define GRADIENT_MEMBERS Floats logSumExp; Floats coefficients; Ints winners; uint chunks; uint outputStride;                    \
    uint sweepFrom; uint sweepTo;  /* tiles of what passes by: the rest is another dispatch's */
