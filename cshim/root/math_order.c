/* libm 2.31: totalorder and totalordermag (IEEE 754, 5.10) by pointer. The versions before took their arguments by value,
 * so that these are no aliases of those: capsule/reversioned.go. */
#include "libm.h"

/* The order is that of sign and magnitude as integers; -0 is below +0, a signaling NaN below a quiet one. upper and
 * lower are the halves of the magnitude. */
struct magnitude {
    bool negative;
    uint64_t upper, lower;
};

static bool not_above(struct magnitude x, struct magnitude y)
{
    return x.upper < y.upper || (x.upper == y.upper && x.lower <= y.lower);
}

static int in_order(struct magnitude x, struct magnitude y, bool with_sign)
{
    if (with_sign && x.negative != y.negative)
        return x.negative;
    return with_sign && x.negative ? not_above(y, x) : not_above(x, y);
}

static struct magnitude of_float(const float *x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, x, sizeof bits);
    return (struct magnitude){bits >> 31, bits & 0x7fffffff, 0};
}

static struct magnitude of_double(const double *x)
{
    uint64_t bits;
    __builtin_memcpy(&bits, x, sizeof bits);
    return (struct magnitude){bits >> 63, bits & (UINT64_MAX >> 1), 0};
}

/* binary128, little-endian. It is only copied, which needs no support of the compiler's. */
struct binary128 {
    uint64_t lower, upper;
};

static struct magnitude of_binary128(const struct binary128 *x)
{
    return (struct magnitude){x->upper >> 63, x->upper & (UINT64_MAX >> 1), x->lower};
}

#if !LIBM_LONG_IS_FLOAT128
/* x87's: 64 bits of mantissa, 16 of exponent and sign, padding. */
static struct magnitude of_long_double(const long double *x)
{
    uint64_t mantissa;
    uint16_t exponent;
    __builtin_memcpy(&mantissa, x, sizeof mantissa);
    __builtin_memcpy(&exponent, (const char *)x + sizeof mantissa, sizeof exponent);
    return (struct magnitude){exponent >> 15, exponent & 0x7fff, mantissa};
}
#endif

#define OF_TYPE(type, suffix, of)                                                          \
    CAPSULE_POLYFILL(int, totalorder##suffix, (const type *x, const type *y))              \
    {                                                                                      \
        return in_order(of(x), of(y), true);                                               \
    }                                                                                      \
    CAPSULE_POLYFILL(int, totalordermag##suffix, (const type *x, const type *y))           \
    {                                                                                      \
        return in_order(of(x), of(y), false);                                              \
    }

OF_TYPE(float, f, of_float)
OF_TYPE(double, , of_double)
#if LIBM_LONG_IS_FLOAT128
OF_TYPE(struct binary128, l, of_binary128)
#else
OF_TYPE(long double, l, of_long_double)
OF_TYPE(struct binary128, f128, of_binary128)
#endif

LIBM_ALIASES(totalorder);
LIBM_ALIASES(totalordermag);
