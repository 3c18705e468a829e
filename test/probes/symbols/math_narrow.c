/* libm 2.35: fma and sqrt with one rounding to a narrower type, in all rounding modes, at numbers whose second rounding
 * would be the wrong one. */
#include "numbers.h"

static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

/* The exceptions of a narrowing function are all prescribed. */
#define EXACTLY(call)                                                            \
    do {                                                                         \
        errno = 0;                                                               \
        feclearexcept(FE_ALL_EXCEPT);                                            \
        __auto_type result = (call);                                             \
        int raised = fetestexcept(FE_ALL_EXCEPT), error = errno;                 \
        fesetround(FE_TONEAREST);                                                \
        PUT(result, true);                                                       \
        printf("/%x/%d", (unsigned)raised, error);                               \
    } while (0)

#define NARROW_FMA(symbol, narrow, wide)                                                                    \
    SYMBOL(symbol)                                                                                          \
    {                                                                                                       \
        narrow (*f)(wide, wide, wide) = (void *)symbol;                                                     \
        const wide in[] = {0.0, -0.0, 1, -1, 0x1.000001p0, 0x1.fffffep0, 0x1p-30, -0x1p-60, 0x1p-149, 0x1p-150, \
                           0x1.8p-151, 0x1p-1074, 0x1p-1060, 0x1.fffffffffffffp1023, 3.3, 0x1.fffffep127,   \
                           (wide)1 / 3, 1 + (wide)0x1p-24 + (wide)0x1p-52, INFINITY, -INFINITY, NAN};        \
        for (size_t m = 0; m < COUNT(modes); m++)                                                           \
            for (size_t i = 0; i < COUNT(in); i++)                                                          \
                for (size_t j = i; j < COUNT(in); j++)                                                      \
                    for (size_t k = 0; k < COUNT(in); k++) {                                                \
                        fesetround(modes[m]);                                                               \
                        EXACTLY(f(in[i], in[j], in[k]));                                                    \
                    }                                                                                       \
    }

#define NARROW_SQRT(symbol, narrow, wide)                                                                   \
    SYMBOL(symbol)                                                                                          \
    {                                                                                                       \
        narrow (*f)(wide) = (void *)symbol;                                                                 \
        const wide in[] = {0.0, -0.0, 1, -1, 2, 3, 0x1.000001p0, 0x1.000002000001p0, 0x1.0000020000010000001p0, \
                           1 + (wide)0x1p-23 + (wide)0x1p-46, 0x1p-1074, 0x1.fffffffffffffp1023, (wide)1 / 3, \
                           0x1p-298, 0x1p-302, 0x1.fffffep127, INFINITY, -INFINITY, NAN};                   \
        for (size_t m = 0; m < COUNT(modes); m++)                                                           \
            for (size_t i = 0; i < COUNT(in); i++) {                                                        \
                fesetround(modes[m]);                                                                       \
                EXACTLY(f(in[i]));                                                                          \
            }                                                                                               \
    }

NARROW_FMA(ffma, float, double)
NARROW_FMA(f32fmaf32x, float, double)
NARROW_FMA(f32fmaf64, float, double)
NARROW_FMA(ffmal, float, long double)
NARROW_FMA(f32fmaf64x, float, long double)
NARROW_FMA(f32fmaf128, float, _Float128)
NARROW_FMA(dfmal, double, long double)
NARROW_FMA(f64fmaf64x, double, long double)
NARROW_FMA(f32xfmaf64x, double, long double)
NARROW_FMA(f64fmaf128, double, _Float128)
NARROW_FMA(f32xfmaf128, double, _Float128)
NARROW_FMA(f32xfmaf64, double, double)
NARROW_FMA(f64xfmaf128, long double, _Float128)
NARROW_SQRT(fsqrt, float, double)
NARROW_SQRT(f32sqrtf32x, float, double)
NARROW_SQRT(f32sqrtf64, float, double)
NARROW_SQRT(fsqrtl, float, long double)
NARROW_SQRT(f32sqrtf64x, float, long double)
NARROW_SQRT(f32sqrtf128, float, _Float128)
NARROW_SQRT(dsqrtl, double, long double)
NARROW_SQRT(f64sqrtf64x, double, long double)
NARROW_SQRT(f32xsqrtf64x, double, long double)
NARROW_SQRT(f64sqrtf128, double, _Float128)
NARROW_SQRT(f32xsqrtf128, double, _Float128)
NARROW_SQRT(f32xsqrtf64, double, double)
NARROW_SQRT(f64xsqrtf128, long double, _Float128)
