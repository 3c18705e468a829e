/* libm 2.43: fromfp and its like return a floating-point number, as C23 has it in the end; the versions before return an
 * integer, so that these are no aliases of those: capsule/reversioned.go. */
#include "libm.h"

/* <math.h>, FP_INT_…; any other value rounds towards zero, as in glibc. */
enum { UPWARD, DOWNWARD, TOWARDZERO, TONEARESTFROMZERO, TONEAREST };

/* Can an integer of that many bits hold the integral number? A number of the type is below 2^max_exp. */
#define FITS(number, limit_of, bits, max_exp) \
    ((bits) >= (unsigned)(max_exp) || (number) < limit_of(1, (int)(bits)))

#define OF_TYPE(type, suffix, max_exp)                                                                      \
    LIBM_IMPORT(type, ceil##suffix, (type));                                                                \
    LIBM_IMPORT(type, floor##suffix, (type));                                                               \
    LIBM_IMPORT(type, trunc##suffix, (type));                                                               \
    LIBM_IMPORT(type, round##suffix, (type));                                                               \
    LIBM_IMPORT(type, roundeven##suffix, (type));                                                           \
    LIBM_IMPORT(type, scalbn##suffix, (type, int));                                                         \
    static type integral##suffix(type x, int direction)                                                     \
    {                                                                                                       \
        LIBM_NEED(base_roundeven##suffix);                                                                  \
        return direction == UPWARD              ? base_ceil##suffix(x)                                      \
               : direction == DOWNWARD          ? base_floor##suffix(x)                                     \
               : direction == TONEARESTFROMZERO ? base_round##suffix(x)                                     \
               : direction == TONEAREST         ? base_roundeven##suffix(x)                                 \
                                                : base_trunc##suffix(x);                                    \
    }                                                                                                       \
    static type from##suffix(type x, int direction, unsigned width, bool is_signed, bool want_inexact)      \
    {                                                                                                       \
        volatile type zero = 0;                                                                             \
        type r = __builtin_isfinite(x) ? integral##suffix(x, direction) : x;                                \
        bool fits = width && __builtin_isfinite(x);                                                         \
        if (fits && is_signed)                                                                              \
            fits = FITS(r, base_scalbn##suffix, width - 1, max_exp) &&                                      \
                   (FITS(-r, base_scalbn##suffix, width - 1, max_exp) ||                                    \
                    -r == base_scalbn##suffix(1, (int)width - 1));                                          \
        else if (fits)                                                                                      \
            fits = r >= 0 && FITS(r, base_scalbn##suffix, width, max_exp);                                  \
        if (!fits) {                                                                                        \
            set_errno(EDOM);                                                                                \
            return __builtin_isnan(x) ? x + zero / zero : zero / zero; /* invalid, also for a quiet NaN */  \
        }                                                                                                   \
        if (want_inexact && r != x) {                                                                       \
            volatile double three = 3, third = 1 / three;                                                   \
            (void)third;                                                                                    \
        }                                                                                                   \
        return r;                                                                                           \
    }                                                                                                       \
    CAPSULE_POLYFILL(type, fromfp##suffix, (type x, int direction, unsigned width))                         \
    {                                                                                                       \
        return from##suffix(x, direction, width, true, false);                                              \
    }                                                                                                       \
    CAPSULE_POLYFILL(type, fromfpx##suffix, (type x, int direction, unsigned width))                        \
    {                                                                                                       \
        return from##suffix(x, direction, width, true, true);                                               \
    }                                                                                                       \
    CAPSULE_POLYFILL(type, ufromfp##suffix, (type x, int direction, unsigned width))                        \
    {                                                                                                       \
        return from##suffix(x, direction, width, false, false);                                             \
    }                                                                                                       \
    CAPSULE_POLYFILL(type, ufromfpx##suffix, (type x, int direction, unsigned width))                       \
    {                                                                                                       \
        return from##suffix(x, direction, width, false, true);                                              \
    }

OF_TYPE(float, f, __FLT_MAX_EXP__)
OF_TYPE(double, , __DBL_MAX_EXP__)
OF_TYPE(long double, l, __LDBL_MAX_EXP__)
LIBM_WITH_FLOAT128(OF_TYPE(_Float128, f128, __FLT128_MAX_EXP__))

LIBM_ALIASES(fromfp);
LIBM_ALIASES(fromfpx);
LIBM_ALIASES(ufromfp);
LIBM_ALIASES(ufromfpx);
