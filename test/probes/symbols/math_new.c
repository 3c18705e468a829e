/* libm 2.42 and 2.43. */
#include "numbers.h"

#define POWER(symbol, type, ...)                                                              \
    SYMBOL(symbol)                                                                            \
    {                                                                                         \
        type (*f)(type, long long);                                                           \
        SINCE_2_42(f, symbol);                                                                \
        static const type in[] = INPUTS;                                                      \
        static const long long n[] = {0, 1, -1, 2, -2, 3, -3, 5, 10, -101, 1000, 4000000001}; \
        for (size_t i = 0; i < COUNT(in); i++)                                                \
            for (size_t j = 0; j < COUNT(n); j++)                                             \
                CALL(false, f(in[i], n[j]));                                                  \
    }
OF_TYPES(POWER, pown, )
OF_TYPES(POWER, rootn, )
OF_TYPES(POWER, compoundn, )
OF_TYPES(BINARY, powr, SINCE_2_42, false)
OF_TYPES(UNARY, rsqrt, SINCE_2_42, false)

#define TO_INTEGER(symbol, type, ...)                                                                           \
    SYMBOL(symbol)                                                                                              \
    {                                                                                                           \
        type (*f)(type, int, unsigned);                                                                         \
        SINCE_2_43(f, symbol);                                                                                  \
        static const type in[] = {0.0,  -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, 127.5, 127.4, -128, -128.5, -129, \
                                  255.5, 1e10, 9223372036854775808.0, 1e30, INFINITY, -INFINITY, NAN};          \
        static const unsigned width[] = {0, 1, 2, 8, 9, 64, 65, 5000, 40000};                                   \
        for (size_t i = 0; i < COUNT(in); i++)                                                                  \
            for (int direction = 0; direction < 5; direction++)                                                 \
                for (size_t j = 0; j < COUNT(width); j++)                                                       \
                    CALL(true, f(in[i], direction, width[j]));                                                  \
    }
OF_TYPES(TO_INTEGER, fromfp, )
OF_TYPES(TO_INTEGER, fromfpx, )
OF_TYPES(TO_INTEGER, ufromfp, )
OF_TYPES(TO_INTEGER, ufromfpx, )

UNARY(acosf, float, SINCE_2_43, false)
UNARY(acoshf, float, SINCE_2_43, false)
UNARY(asinf, float, SINCE_2_43, false)
BINARY(atan2f, float, SINCE_2_43, false)
UNARY(atanhf, float, SINCE_2_43, false)
UNARY(coshf, float, SINCE_2_43, false)
UNARY(sinhf, float, SINCE_2_43, false)
UNARY(j0f, float, SINCE_2_43, false)
UNARY(j1f, float, SINCE_2_43, false)
UNARY(y0f, float, SINCE_2_43, false)
UNARY(y1f, float, SINCE_2_43, false)
UNARY(lgammaf, float, SINCE_2_43, false)
UNARY(tgammaf, float, SINCE_2_43, false)
UNARY(log10f, float, SINCE_2_43, false)
UNARY(sqrtf, float, SINCE_2_43, true)
BINARY(remainder, double, SINCE_2_43, true)
BINARY(remainderf, float, SINCE_2_43, true)

/* The sign of ynf(-1, infinity), a zero, is one way in old releases and the other in new ones. */
#define BESSEL(symbol)                                      \
    SYMBOL(symbol)                                          \
    {                                                       \
        float (*f)(int, float);                             \
        SINCE_2_43(f, symbol);                              \
        static const float in[] = INPUTS;                   \
        for (size_t i = 0; i < COUNT(in); i++)              \
            for (int n = isinf(in[i]) ? 0 : -2; n < 4; n++) \
                CALL(false, f(n, in[i]));                   \
    }
BESSEL(jnf)
BESSEL(ynf)

SYMBOL(lgammaf_r)
{
    float (*f)(float, int *);
    SINCE_2_43(f, lgammaf_r);
    static const float in[] = INPUTS;
    for (size_t i = 0; i < COUNT(in); i++) {
        int sign = 7;
        CALL(false, f(in[i], &sign));
        if (in[i] >= 0 || in[i] != floorf(in[i])) /* at its poles it has none */
            printf("[%d]", sign);
    }
}
