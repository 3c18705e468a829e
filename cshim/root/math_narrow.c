/* libm 2.35: fma and sqrt that round once to a narrower type (C23 F.10.11). The wide operation is rounded to odd (towards
 * zero, and if that was inexact, with the last bit set): with two bits more than the narrow type it keeps all that the
 * second rounding, in the caller's mode, wants to know. Boldo and Melquiond, "Emulation of FMA and correctly rounded
 * sums", 2008. */
#include <fenv.h>

#include "libm.h"

LIBM_IMPORT(int, feholdexcept, (fenv_t *));
LIBM_IMPORT(int, feupdateenv, (const fenv_t *));
LIBM_IMPORT(int, fesetround, (int));
LIBM_IMPORT(int, fetestexcept, (int));
LIBM_IMPORT(int, feclearexcept, (int));
LIBM_IMPORT(double, fma, (double, double, double));
LIBM_IMPORT(long double, fmal, (long double, long double, long double));
LIBM_IMPORT(double, sqrt, (double));
LIBM_IMPORT(long double, sqrtl, (long double));

static void towards_zero(fenv_t *environment)
{
    base_feholdexcept(environment);
    base_fesetround(FE_TOWARDZERO);
}

/* Back to the caller's mode, with the exceptions of the wide operation added; returns whether it was inexact. If the
 * result is subnormal in the wide type, it is so in the narrow one, or on its border: there the second rounding tells. */
static bool back(const fenv_t *environment)
{
    base_feclearexcept(FE_UNDERFLOW);
    bool inexact = base_fetestexcept(FE_INEXACT);
    base_feupdateenv(environment);
    return inexact;
}

/* All formats here are little-endian with the last bit of the mantissa in the first byte. Infinities and NaNs are never
 * inexact. volatile: the conversion that follows must not be done before the mode is the caller's again. */
static void make_odd(volatile void *number, bool inexact)
{
    *(volatile unsigned char *)number |= inexact;
}

/* An exact zero has the sign that the caller's mode gives it, so that is computed again. */
#define ROUND_TO_ODD(wide, expression)               \
    ({                                               \
        fenv_t environment;                          \
        towards_zero(&environment);                  \
        volatile wide odd = (expression);            \
        make_odd(&odd, back(&environment));          \
        if (odd == 0)                                \
            odd = (expression);                      \
        odd;                                         \
    })

/* As in glibc, fma leaves errno alone. */
#define FMA(narrow, name, wide, fma)                                  \
    CAPSULE_POLYFILL(narrow, name, (wide x, wide y, wide z))          \
    {                                                                 \
        LIBM_NEED(fma);                                               \
        return (narrow)ROUND_TO_ODD(wide, fma(x, y, z));              \
    }

#define SQRT(narrow, name, wide, sqrt)                                                          \
    CAPSULE_POLYFILL(narrow, name, (wide x))                                                    \
    {                                                                                           \
        LIBM_NEED(sqrt);                                                                        \
        int error = *root_errno();                                                              \
        narrow result = (narrow)ROUND_TO_ODD(wide, sqrt(x));                                    \
        *root_errno() = error;                                                                  \
        LIBM_ERRNO(result, __builtin_isnan(x), __builtin_isfinite(x));                          \
        if (result == 0 && x != 0)                                                              \
            set_errno(ERANGE);                                                                  \
        return result;                                                                          \
    }

FMA(float, ffma, double, base_fma)
FMA(float, ffmal, long double, base_fmal)
FMA(double, dfmal, long double, base_fmal)
SQRT(float, fsqrt, double, base_sqrt)
SQRT(float, fsqrtl, long double, base_sqrtl)
SQRT(double, dsqrtl, long double, base_sqrtl)

LIBM_ALIAS(f32fmaf32x, ffma);
LIBM_ALIAS(f32fmaf64, ffma);
LIBM_ALIAS(f32fmaf64x, ffmal);
LIBM_ALIAS(f32xfmaf64x, dfmal);
LIBM_ALIAS(f64fmaf64x, dfmal);
LIBM_ALIAS(f32sqrtf32x, fsqrt);
LIBM_ALIAS(f32sqrtf64, fsqrt);
LIBM_ALIAS(f32sqrtf64x, fsqrtl);
LIBM_ALIAS(f32xsqrtf64x, dsqrtl);
LIBM_ALIAS(f64sqrtf64x, dsqrtl);

/* Here both types are double: the odd one would be wrong. */
CAPSULE_POLYFILL(double, f32xfmaf64, (double x, double y, double z))
{
    return base_fma(x, y, z);
}

CAPSULE_POLYFILL(double, f32xsqrtf64, (double x))
{
    return base_sqrt(x);
}

#if LIBM_FLOAT128
LIBM_IMPORT(_Float128, fmaf128, (_Float128, _Float128, _Float128));
LIBM_IMPORT(_Float128, sqrtf128, (_Float128));

FMA(float, f32fmaf128, _Float128, base_fmaf128)
FMA(double, f64fmaf128, _Float128, base_fmaf128)
FMA(long double, f64xfmaf128, _Float128, base_fmaf128)
SQRT(float, f32sqrtf128, _Float128, base_sqrtf128)
SQRT(double, f64sqrtf128, _Float128, base_sqrtf128)
SQRT(long double, f64xsqrtf128, _Float128, base_sqrtf128)

LIBM_ALIAS(f32xfmaf128, f64fmaf128);
LIBM_ALIAS(f32xsqrtf128, f64sqrtf128);
#elif LIBM_LONG_IS_FLOAT128
LIBM_ALIAS(f32fmaf128, ffmal);
LIBM_ALIAS(f64fmaf128, dfmal);
LIBM_ALIAS(f32xfmaf128, dfmal);
LIBM_ALIAS(f32sqrtf128, fsqrtl);
LIBM_ALIAS(f64sqrtf128, dsqrtl);
LIBM_ALIAS(f32xsqrtf128, dsqrtl);

/* _Float64x is binary128 too: nothing is narrowed. */
CAPSULE_POLYFILL(long double, f64xfmaf128, (long double x, long double y, long double z))
{
    return base_fmal(x, y, z);
}

CAPSULE_POLYFILL(long double, f64xsqrtf128, (long double x))
{
    return base_sqrtl(x);
}
#endif
