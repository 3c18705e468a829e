/* libm: new versions of old functions, and the functions of 2.31 to 2.41 of one or two arguments. */
#include "numbers.h"

UNARY(exp, double, LINKED, false)
UNARY(exp2, double, LINKED, false)
UNARY(log, double, LINKED, false)
UNARY(log2, double, LINKED, false)
BINARY(pow, double, LINKED, false)
UNARY(exp10f, float, LINKED, false)
UNARY(exp10, double, LINKED, false)
BINARY(hypot, double, LINKED, false)
BINARY(hypotf, float, LINKED, false)
BINARY(fmod, double, LINKED, true)
BINARY(fmodf, float, LINKED, true)

OF_TYPES(BINARY, fmaximum, LINKED, true)
OF_TYPES(BINARY, fminimum, LINKED, true)
OF_TYPES(BINARY, fmaximum_num, LINKED, true)
OF_TYPES(BINARY, fminimum_num, LINKED, true)
OF_TYPES(BINARY, fmaximum_mag, LINKED, true)
OF_TYPES(BINARY, fminimum_mag, LINKED, true)
OF_TYPES(BINARY, fmaximum_mag_num, LINKED, true)
OF_TYPES(BINARY, fminimum_mag_num, LINKED, true)

OF_TYPES(UNARY, exp2m1, LINKED, false)
OF_TYPES(UNARY, exp10m1, LINKED, false)
OF_TYPES(UNARY, logp1, LINKED, false)
OF_TYPES(UNARY, log2p1, LINKED, false)
OF_TYPES(UNARY, log10p1, LINKED, false)
OF_TYPES(UNARY, sinpi, LINKED, false)
OF_TYPES(UNARY, cospi, LINKED, false)
OF_TYPES(UNARY, tanpi, LINKED, false)
OF_TYPES(UNARY, asinpi, LINKED, false)
OF_TYPES(UNARY, acospi, LINKED, false)
OF_TYPES(UNARY, atanpi, LINKED, false)
OF_TYPES(BINARY, atan2pi, LINKED, false)

/* By pointer, also signaling and negative NaNs. */
#define ORDER(symbol, type, ...)                                                    \
    SYMBOL(symbol)                                                                  \
    {                                                                               \
        int (*f)(const type *, const type *) = (void *)symbol;                      \
        static const type in[] = {-1, -0.0, 0.0, 1, 1.5, INFINITY, -INFINITY};      \
        type values[COUNT(in) + 4] = {0};                                           \
        size_t n = COUNT(in);                                                       \
        for (size_t i = 0; i < n; i++)                                              \
            values[i] = in[i];                                                      \
        for (int k = 0; k < 4; k++) {                                               \
            values[n] = k & 1 ? (type)__builtin_nans("") : (type)NAN;               \
            if (k & 2)                                                              \
                values[n] = -values[n];                                             \
            n++;                                                                    \
        }                                                                           \
        for (size_t i = 0; i < n; i++)                                              \
            for (size_t j = 0; j < n; j++)                                          \
                printf("%d", !!f(&values[i], &values[j]));                          \
    }
OF_TYPES(ORDER, totalorder, )
OF_TYPES(ORDER, totalordermag, )
