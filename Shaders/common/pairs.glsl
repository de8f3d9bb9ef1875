// Candidate blocks a tile of slots × places at a time: whose rows they are, and which pairs count.
#define BLOCK_MEMBERS                                                                                                  \
    Longs ranges; Ints slotTokens; Ints placeItems; Floats logWeights; Ints previousSlot; Ints blockOfSlot;            \
    Ints previousPlace; Ints blockOfPlace; Ints places; Floats hidden; Ints hiddenRows; Ints targets; Floats catalog;  \
    Floats bias; Ints excluded;                                                                                        \
    uint hiddenStride; uint catalogStride; uint width; uint itemCount; uint excludedCount; uint tokenCount;            \
    uint isDense; uint onceOnly; uint chunkCount; uint selectableCount; uint firstBlock; uint blockStep;               \
    uint tilesPerBlock; float scale;
