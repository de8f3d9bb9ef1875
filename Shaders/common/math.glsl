// Exponentials and logarithms with known errors: the built-in ones may be off by 3 + 2|x| ulp, and exist in single
// precision alone.

// e^x within 2 ulp; 0 below −87. Not for NaN.
float exponential(float x) {
    const float t = clamp(x, -87.0, 88.7);
    const float n = floor(fma(t, 1.44269504, 0.5));
    precise float r = fma(n, -0.693359375, t);
    r = fma(n, 2.12194440e-4, r);
    float p = 1.9875691500e-4;
    p = fma(p, r, 1.3981999507e-3);
    p = fma(p, r, 8.3334519073e-3);
    p = fma(p, r, 4.1665795894e-2);
    p = fma(p, r, 1.6666665459e-1);
    p = fma(p, r, 5.0000001201e-1);
    p = fma(p, r * r, r) + 1.0;
    // p is about 0.7 … 1.4, and p·2^n a normal number: n goes to the exponent.
    const float result = uintBitsToFloat(floatBitsToUint(p) + (uint(int(n)) << 23));
    return x < -87.0 ? 0.0 : x > 88.7 ? infinity : result;
}

// 2^n for |n| < 1000.
double powerOfTwo(int n) { return packDouble2x32(uvec2(0u, uint(n + 1023) << 20)); }

// e^x for x ≤ 700; 0 below −700.
double exponential(double x) {
    if (x < -700.0lf) return 0.0lf;
    const int n = int(floor(x * 1.4426950408889634lf + 0.5lf));
    const double r = (x - double(n) * 6.93147180369123816490e-01lf) - double(n) * 1.90821492927058770002e-10lf;
    double p = 1.0lf;
    for (int k = 14; k > 0; k--) p = 1.0lf + p * r / double(k);
    return p * powerOfTwo(n);
}

// e^x − 1, without cancellation.
double exponentialMinusOne(double x) {
    if (x < -0.5lf || x > 0.5lf) return exponential(x) - 1.0lf;
    double p = 1.0lf;
    for (int k = 16; k > 1; k--) p = 1.0lf + p * x / double(k);
    return p * x;
}

// log x for a positive normal number.
double logarithm(double x) {
    const uvec2 bits = unpackDouble2x32(x);
    int n = int(bits.y >> 20) - 1023;
    double m = packDouble2x32(uvec2(bits.x, (bits.y & 0xFFFFFu) | 0x3FF00000u));
    if (m > 1.4142135623730951lf) {
        m *= 0.5lf;
        n++;
    }
    const double f = (m - 1.0lf) / (m + 1.0lf), square = f * f;
    double p = 0.0lf;
    for (int k = 23; k > 0; k -= 2) p = p * square + 1.0lf / double(k);
    return double(n) * 0.6931471805599453lf + 2.0lf * f * p;
}

// log(1 + x) for x ≥ 0.
double logarithmOfOnePlus(double x) {
    precise double u = 1.0lf + x;
    precise double lost = u - 1.0lf;
    // Exact where 1 + x was rounded: log u scaled by what u should have been.
    return lost == 0.0lf ? x : logarithm(u) * (x / lost);
}

// log(1 + e^x).
double softplus(double x) {
    return x > 0.0lf ? x + logarithmOfOnePlus(exponential(-x)) : logarithmOfOnePlus(exponential(x));
}
