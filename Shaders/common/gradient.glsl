// Further members of blockHidden and blockCatalog, which follow BLOCK_MEMBERS.
//
// Rows of a result go to `target`, to which they are added, or, where no two workgroups may have the same row there, to
// `slab`: a row a slot or place from `slabFirst` on, `slabRows` of them for each run.
#define GRADIENT_MEMBERS Floats logSumExp; Floats coefficients; Ints kept; Ints keptCounts; Floats target; Floats slab;          \
    uint outputStride; uint slabFirst; uint slabRows; uint isAdded; /* to what the slab holds */                               \
    uint chunks; /* of 64 columns, 0 where no rows are wanted */                                                               \
    uint runs; uint sweepFrom; uint sweepTo;  /* tiles of what passes by, cut into runs: the rest is another dispatch's */
