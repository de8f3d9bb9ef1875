// The derivatives of the objective by the logits of a tile: after tiles.glsl, for the gradients' shaders.
shared float slotCoefficient[64];
shared float slotLogSumExp[64];
shared float tileTerms[64][65];

// A slot through which no gradient flows is as if it were not there.
void loadGradientSlot(uint at, uint slot, bool isThere) {
    loadSlot(at, slot, isThere);
    const int token = slotToken[at];
    float coefficient = 0.0;
    if (token >= 0 && (!present(args.winners) || args.winners.v[token] == int(slot)))
        coefficient = args.coefficients.v[token];
    slotCoefficient[at] = coefficient;
    if (coefficient == 0.0) slotToken[at] = -1;
    else slotLogSumExp[at] = args.logSumExp.v[token];
}

// g·p with p = e^(z − log-sum-exp), 0 for a pair that does not count.
float term(uint at, uint place, float product) {
    if (!isCandidate(at, place)) return 0.0;
    const float z = fma(args.scale, product, placeShift[place]) - slotLogSumExp[at];
    return slotCoefficient[at] * (isNaN(z) ? nan : exponential(z));
}
