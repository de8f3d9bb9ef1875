#version 460
// dY += s·g·(p_t − 1)·x and db += g·(p_t − 1). Each row belongs to one workgroup, which looks for its tokens in order:
// many tokens may share a target, and their sum must not depend on who comes first.
#include "common.glsl"
#include "math.glsl"
#include "target.glsl"
layout(local_size_x = 256) in;
struct Args { TARGET_MEMBERS Floats biasTarget; Words bits; Words before; uint owners; uint firstToken; };
#include "push.glsl"
#include "itemMap.glsl"
shared uint found[8];

void main() {
    const uint owner = groupNumber(), lane = gl_LocalInvocationID.x;
    if (owner >= push.endGroup) return;
    for (uint first = args.firstToken; first < args.count; first += 256) {
        if (lane < 8) found[lane] = 0;
        barrier();
        const uint mine = first + lane;
        if (mine < args.count && uint(args.targets.v[mine]) % args.owners == owner && args.coefficients.v[mine] != 0.0)
            atomicOr(found[lane / 32], 1u << (lane % 32));
        barrier();
        for (uint word = 0; word < 8; word++) {
            uint bits = found[word];
            while (bits != 0u) {
                const uint token = first + word * 32 + uint(findLSB(bits));
                bits &= bits - 1u;
                const float loss = args.losses.v[token];
                double term = double(nan);
                if (isFinite(loss)) term = double(args.coefficients.v[token]) * exponentialMinusOne(-double(loss));
                const uint item = uint(args.targets.v[token]);
                const uint row = present(args.bits) ? rowOfItem(args.bits, args.before, item) : item;
                if (present(args.target)) {
                    const uint from = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token;
                    Floats x = rowOf(args.hidden, from, args.hiddenStride);
                    Floats target = rowOf(args.target, row, args.outputStride);
                    const float factor = float(double(args.scale) * term);
                    // A thread has its columns for good: what it adds next it sees.
                    for (uint k = lane; k < args.width; k += 256) target.v[k] += factor * x.v[k];
                }
                if (lane == 0 && present(args.biasTarget)) args.biasTarget.v[row] += float(term);
            }
        }
        barrier();
    }
}
