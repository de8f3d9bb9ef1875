#version 460
// Sorts each chain by descending place, a thread a chain: a merge sort of linked lists, which needs no memory.
#include "common.glsl"
layout(local_size_x = 64) in;
struct Args { Ints last; Ints previous; uint count; };
#include "push.glsl"

void main() {
    const uint row = groupNumber() * 64 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || row >= args.count) return;
    int head = args.last.v[row];
    if (head < 0) return;
    Ints next = args.previous;
    for (uint width = 1;; width *= 2) {
        int rest = head, tail = -1;
        head = -1;
        uint merges = 0;
        while (rest >= 0) {
            merges++;
            int a = rest, b = rest;
            uint countA = 0, countB = width;
            while (countA < width && b >= 0) {
                b = next.v[b];
                countA++;
            }
            while (countA > 0 || (countB > 0 && b >= 0)) {
                int taken;
                if (countA > 0 && (countB == 0 || b < 0 || a > b)) {
                    taken = a;
                    a = next.v[a];
                    countA--;
                } else {
                    taken = b;
                    b = next.v[b];
                    countB--;
                }
                if (tail >= 0) next.v[tail] = taken; else head = taken;
                tail = taken;
            }
            rest = b;
        }
        next.v[tail] = -1;
        if (merges <= 1) break;
    }
    args.last.v[row] = head;
}
