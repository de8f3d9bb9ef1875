// A stable radix sort, four bits a pass: 256 threads with runs of 16 consecutive places each.
const uint runLength = 16;
const uint groupPlaces = 256 * runLength;
