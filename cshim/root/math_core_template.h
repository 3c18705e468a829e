/* The functions that C23 added (libm 2.40 to 2.42), in one wide type W whose functions end in SUFFIX and constants in
 * CONSTANT; included once a type. math_c23.c narrows the results. Each is within 4 ulp of W (of the arguments' own
 * errors none: reductions are exact), except near zeros of log2p1 and log10p1 below 1, where it is 4 ulp all the same.
 *
 * Special values are those of C23's annex F.10; errno is set by the caller. */
#define W_(name) LIBM_CAT(name, SUFFIX)
#define C(digits) LIBM_CAT(digits, CONSTANT)
#define PI C(3.141592653589793238462643383279502884197)
#define LN2 C(0.693147180559945309417232121458176568075)
#define LN10 C(2.302585092994045684017991454684364207601)
#define B(name) LIBM_CAT(base_, W_(name))
#define IMPORT(name, arguments) LIBM_IMPORT(W, W_(name), arguments)
#define CORE(name, arguments) __attribute__((visibility("hidden"))) W LIBM_CAT(core_##name, SUFFIX) arguments

/* A comparison that is silent about quiet NaNs. */
#define LESS(x, y) __builtin_isless(x, y)

IMPORT(exp, (W));
IMPORT(exp2, (W));
IMPORT(exp10, (W));
IMPORT(expm1, (W));
IMPORT(log2, (W));
IMPORT(log10, (W));
IMPORT(log1p, (W));
IMPORT(sin, (W));
IMPORT(cos, (W));
IMPORT(tan, (W));
IMPORT(asin, (W));
IMPORT(acos, (W));
IMPORT(atan, (W));
IMPORT(atan2, (W, W));
IMPORT(pow, (W, W));
IMPORT(sqrt, (W));
IMPORT(fmod, (W, W));
IMPORT(scalbn, (W, int));
LIBM_IMPORT(int, W_(ilogb), (W));

static W magnitude(W x)
{
    return __builtin_signbit(x) ? -x : x;
}

/* Raises "invalid". */
static W invalid(void)
{
    volatile W zero = 0;
    return zero / zero;
}

/* Raises "division by zero". */
static W pole(bool negative)
{
    volatile W zero = 0;
    return (negative ? -1 : 1) / zero;
}

CORE(exp2m1, (W x))
{
    LIBM_NEED(B(expm1));
    return LESS(magnitude(x), C(0.5)) ? B(expm1)(x * LN2) : B(exp2)(x) - 1;
}

CORE(exp10m1, (W x))
{
    LIBM_NEED(B(expm1));
    return LESS(magnitude(x), C(0.25)) ? B(expm1)(x * LN10) : B(exp10)(x) - 1;
}

CORE(logp1, (W x))
{
    LIBM_NEED(B(log1p));
    return B(log1p)(x);
}

/* 1 + x is s + the result, exactly. */
static W rest_of_sum(W s, W x)
{
    return magnitude(x) < 1 ? x - (s - 1) : 1 - (s - x);
}

static W log_plus_1(W x, W (*log)(W), W ln_base)
{
    LIBM_NEED(log);
    if (__builtin_isnan(x) || (x > C(-0.5) && x < 1))
        return B(log1p)(x) / ln_base;
    W s = 1 + x, y = log(s);
    W rest = __builtin_isfinite(y) ? rest_of_sum(s, x) : 0;
    return rest == 0 ? y : y + rest / (s * ln_base);
}

CORE(log2p1, (W x))
{
    return log_plus_1(x, B(log2), LN2);
}

CORE(log10p1, (W x))
{
    return log_plus_1(x, B(log10), LN10);
}

/* |x| modulo 2; the sign of the half-turn is in odd. */
static W half_turn(W x, bool *odd)
{
    W a = B(fmod)(magnitude(x), 2);
    *odd = a >= 1;
    return *odd ? a - 1 : a;
}

CORE(sinpi, (W x))
{
    LIBM_NEED(B(sin));
    if (!__builtin_isfinite(x))
        return x - x;
    bool odd;
    W a = half_turn(x, &odd);
    if (a == 0)
        return __builtin_signbit(x) ? -a : a;
    if (a > C(0.5))
        a = 1 - a;
    W y = a <= C(0.25) ? B(sin)(PI * a) : B(cos)(PI * (C(0.5) - a));
    return odd != (bool)__builtin_signbit(x) ? -y : y;
}

CORE(cospi, (W x))
{
    LIBM_NEED(B(sin));
    if (!__builtin_isfinite(x))
        return x - x;
    bool odd;
    W a = half_turn(x, &odd);
    if (a == C(0.5))
        return 0;
    W y = a <= C(0.25)   ? B(cos)(PI * a)
          : a < C(0.75) ? B(sin)(PI * (C(0.5) - a))
                         : -B(cos)(PI * (1 - a));
    return odd ? -y : y;
}

CORE(tanpi, (W x))
{
    LIBM_NEED(B(tan));
    if (!__builtin_isfinite(x))
        return x - x;
    bool odd, negative = __builtin_signbit(x);
    W a = half_turn(x, &odd);
    if (a == 0)
        return odd != negative ? -a : a;
    if (a == C(0.5))
        return pole(odd != negative);
    W b = a > C(0.5) ? 1 - a : a;
    W y = b <= C(0.25) ? B(tan)(PI * b) : 1 / B(tan)(PI * (C(0.5) - b));
    return (a > C(0.5)) != negative ? -y : y;
}

CORE(asinpi, (W x))
{
    LIBM_NEED(B(asin));
    return B(asin)(x) / PI;
}

CORE(acospi, (W x))
{
    LIBM_NEED(B(acos));
    return B(acos)(x) / PI;
}

CORE(atanpi, (W x))
{
    LIBM_NEED(B(atan));
    return B(atan)(x) / PI;
}

CORE(atan2pi, (W y, W x))
{
    LIBM_NEED(B(atan2));
    return B(atan2)(y, x) / PI;
}

CORE(rsqrt, (W x))
{
    LIBM_NEED(B(sqrt));
    return 1 / B(sqrt)(x);
}

CORE(pown, (W x, long long n))
{
    LIBM_NEED(B(pow));
    return B(pow)(x, (W)n);
}

CORE(powr, (W x, W y))
{
    LIBM_NEED(B(pow));
    if (LESS(x, 0))
        return invalid();
    if (__builtin_isnan(x) || __builtin_isnan(y))
        return x + y;
    if ((y == 0 && (x == 0 || __builtin_isinf(x))) || (x == 1 && __builtin_isinf(y)))
        return invalid();
    if (x == 0 && y < 0)
        return __builtin_isinf(y) ? magnitude(y) : pole(false);
    return B(pow)(magnitude(x), y);
}

/* The exponent is divided apart from the rest, for pow's error grows with its result's logarithm. */
CORE(rootn, (W x, long long n))
{
    LIBM_NEED(B(pow));
    bool negative = __builtin_signbit(x), odd = n & 1;
    if (n == 0 || (LESS(x, 0) && !odd))
        return invalid();
    if (__builtin_isnan(x))
        return x + x;
    W a = magnitude(x);
    if (a == 0)
        return n < 0 ? pole(negative && odd) : negative && odd ? x : a;
    W y;
    if (__builtin_isinf(a)) {
        y = n < 0 ? 0 : a;
    } else {
        int degree = n < -40000 || n > 40000 ? 0 : (int)n; /* beyond the exponents of W nothing is left to divide */
        int shift = degree ? B(ilogb)(a) / degree : 0;
        y = B(scalbn)(B(pow)(B(scalbn)(a, -shift * degree), 1 / (W)n), shift);
    }
    return negative ? -y : y;
}

CORE(compoundn, (W x, long long n))
{
    LIBM_NEED(B(pow));
    if (LESS(x, -1))
        return invalid();
    if (n == 0)
        return 1;
    if (__builtin_isnan(x))
        return x + x;
    if (x == -1)
        return n < 0 ? pole(false) : 0;
    if (__builtin_isinf(x))
        return n < 0 ? 0 : x;
    W s = 1 + x, rest = rest_of_sum(s, x), y = B(pow)(s, (W)n);
    return rest == 0 ? y : y * B(exp)((W)n * B(log1p)(rest / s));
}
