// A set of items: 64-bit words as pairs of 32-bit ones, and the items before each 64-bit word.
uint rowOfItem(Words bits, Words before, uint item) {
    const uint word = item / 64;
    const uint low = bits.v[word * 2], high = bits.v[word * 2 + 1];
    const uint bit = item % 64;
    const uint below = bit < 32 ? bitCount(low & ((1u << bit) - 1u))
                                : bitCount(low) + bitCount(high & ((1u << (bit - 32)) - 1u));
    return before.v[word] + below;
}
