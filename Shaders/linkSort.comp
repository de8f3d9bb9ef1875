#version 460
// One level of a merge sort of linked lists, which needs no memory: brings each chain, a thread a chain, from sorted
// runs of `width` places to runs of twice as many, places descending.
#include "common.glsl"
layout(local_size_x = 64) in;
struct Args { Ints last; Ints previous; uint count; uint width; };
#include "push.glsl"

void main() {
    const uint row = groupNumber() * 64 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || row >= args.count) return;
    int head = args.last.v[row];
    if (head < 0) return;
    Ints next = args.previous;
    const uint width = args.width;
    int rest = head, tail = -1;
    head = -1;
    while (rest >= 0) {
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
    args.last.v[row] = head;
}
