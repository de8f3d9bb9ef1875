#version 460
// A token a thread: its slots joined, its loss, and what a workgroup's tokens add to the totals.
#include "common.glsl"
#include "math.glsl"
layout(local_size_x = 256) in;
struct Args {
    Floats slots; Ints previous; Ints last; Floats weights; Ints hiddenRows; Floats targetLogits;
    Floats losses; Floats logSumExp; Ints winners; Doubles parts; uint count; uint isUnion;
};
#include "push.glsl"
shared double sums[256];

// Sums over the workgroup in a fixed tree.
double total(double value) {
    const uint lane = gl_LocalInvocationID.x;
    barrier();
    sums[lane] = value;
    barrier();
    for (uint distance = 128; distance > 0; distance /= 2) {
        if (lane < distance) sums[lane] += sums[lane + distance];
        barrier();
    }
    return sums[0];
}

void main() {
    const uint group = groupNumber(), token = group * 256 + gl_LocalInvocationID.x;
    if (group >= push.endGroup) return;
    double weighted = 0.0lf, weightSum = 0.0lf, counted = 0.0lf, nonFinite = 0.0lf;
    if (token < args.count) {
        float value = -infinity;
        int winner = -1;
        if (present(args.previous)) {
            // From the last slot to the first: of equals the lowest wins, and no number hides one that is not.
            for (int slot = args.last.v[token]; slot >= 0; slot = args.previous.v[slot]) {
                const float other = args.slots.v[slot];
                if (isNaN(other) || (!isNaN(value) && other >= value)) {
                    value = other;
                    winner = slot;
                }
            }
        } else {
            // Exact cross-entropy: one slot a token, in order.
            value = args.slots.v[token];
            winner = 0;
        }
        double joined = 0.0lf;
        const bool isNumber = isFinite(value);
        if (isNumber) joined = double(value);
        if (args.isUnion != 0u && present(args.previous) && winner >= 0) {
            if (isNumber) {
                double sum = 0.0lf;
                for (int slot = args.last.v[token]; slot >= 0; slot = args.previous.v[slot])
                    if (isFinite(args.slots.v[slot])) sum += exponential(double(args.slots.v[slot]) - joined);
                joined += logarithm(sum);
            }
            winner = 0;
        }
        args.winners.v[token] = winner;
        float loss = 0.0, logSumExp = 0.0;
        if (winner >= 0) {
            const float target = args.targetLogits.v[token];
            loss = nan;
            logSumExp = nan;
            double exact = 0.0lf;
            bool isSound = isFinite(target) && !isNaN(value);
            if (isSound) {
                // ℓ = log(e^t + e^rest) − t = log(1 + e^(rest − t)); no candidate: 0.
                if (isNumber) exact = softplus(joined - double(target));
                loss = float(exact);
                logSumExp = float(double(target) + exact);
            }
            counted = 1.0lf;
            if (!isFinite(loss)) nonFinite = 1.0lf;
            float weight = 1.0;
            if (present(args.weights))
                weight = args.weights.v[present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : token];
            // Not 0 · NaN: a token of weight 0 adds nothing.
            if (weight != 0.0) {
                weighted = isSound ? double(weight) * exact : double(nan);
                weightSum = double(weight);
            }
        }
        args.losses.v[token] = loss;
        args.logSumExp.v[token] = logSumExp;
    }
    const double a = total(weighted), b = total(weightSum), c = total(counted), d = total(nonFinite);
    if (gl_LocalInvocationID.x == 0) {
        Doubles part = Doubles(uint64_t(args.parts) + uint64_t(group) * 32ul);
        part.v[0] = a;
        part.v[1] = b;
        part.v[2] = c;
        part.v[3] = d;
    }
}
