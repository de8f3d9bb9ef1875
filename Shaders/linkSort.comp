#version 460
// Levels of a natural merge sort of linked lists, which needs no memory: each halves the number of descending runs of a
// chain, a thread a chain. Chains come nearly in order: most are done after one.
#include "common.glsl"
layout(local_size_x = 64) in;
struct Args { Ints last; Ints previous; uint count; uint levels; };
#include "push.glsl"

// The end of the descending run that begins at `place`.
int endOfRun(int place) {
    int next = args.previous.v[place];
    while (next >= 0 && next < place) {
        place = next;
        next = args.previous.v[place];
    }
    return place;
}

void main() {
    const uint row = groupNumber() * 64 + gl_LocalInvocationID.x;
    if (groupNumber() >= push.endGroup || row >= args.count) return;
    int head = args.last.v[row];
    if (head < 0) return;
    Ints next = args.previous;
    uint pairs = 2;
    for (uint level = 0; level < args.levels && pairs > 1; level++) {
        int rest = head, tail = -1;
        head = -1;
        pairs = 0;
        while (rest >= 0) {
            int a = rest, end = endOfRun(a), b = next.v[end];
            rest = -1;
            if (b >= 0) {
                next.v[end] = -1;
                end = endOfRun(b);
                rest = next.v[end];
                next.v[end] = -1;
            }
            if (b < 0 && tail < 0) {
                // One run from the beginning: in order.
                head = a;
                tail = end;
            }
            else
                while (a >= 0 || b >= 0) {
                    int taken;
                    if (a > b) {
                        taken = a;
                        a = next.v[a];
                    } else {
                        taken = b;
                        b = next.v[b];
                    }
                    if (tail >= 0) next.v[tail] = taken; else head = taken;
                    tail = taken;
                }
            pairs++;
        }
        next.v[tail] = -1;
    }
    args.last.v[row] = head;
}
