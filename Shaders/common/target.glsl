// What the target's part of the gradient is made of.
#define TARGET_MEMBERS                                                                                                 \
    Floats hidden; Ints hiddenRows; Ints targets; Floats catalog; Floats terms; Floats target; uint hiddenStride;      \
    uint catalogStride; uint outputStride; uint width; float scale;
