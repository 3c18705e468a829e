/* For libm: inputs, and how a result is printed. */
#ifndef NUMBERS_H
#define NUMBERS_H

#define __STDC_WANT_IEC_60559_TYPES_EXT__ 1
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "symbols.h"

/* Results of exact functions are printed whole, of others with about as many digits as one can expect of both. */
static inline void show_float(float x, bool exact)
{
    printf(isnan(x) ? " nan" : exact ? " %a" : " %.5g", (double)x);
}

static inline void show_double(double x, bool exact)
{
    printf(isnan(x) ? " nan" : exact ? " %a" : " %.14g", x);
}

static inline void show_long_double(long double x, bool exact)
{
    printf(isnan(x) ? " nan" : exact ? " %La" : LDBL_MANT_DIG == 113 ? " %.30Lg" : " %.17Lg", x);
}

static inline void show_float128(_Float128 x, bool exact)
{
    char text[100];
    strfromf128(text, sizeof text, exact ? "%a" : "%.30g", x);
    printf(" %s", __builtin_isnan(x) ? "nan" : text);
}

static inline void show_int(int x, bool exact)
{
    (void)exact;
    printf(" %d", x);
}

#define PUT(x, exact)                                                                                     \
    _Generic((x), float: show_float, double: show_double, long double: show_long_double, _Float128: show_float128, \
             default: show_int)(x, exact)

/* One call with its result, errno and the exceptions that C23 prescribes. */
#define CALL(exact, call)                                                                         \
    do {                                                                                          \
        errno = 0;                                                                                \
        feclearexcept(FE_ALL_EXCEPT);                                                             \
        __auto_type result = (call);                                                              \
        int raised = fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW), error = errno;         \
        PUT(result, exact);                                                                       \
        if (raised || error)                                                                      \
            printf("(%s%s%s %d)", raised & FE_INVALID ? "I" : "", raised & FE_DIVBYZERO ? "Z" : "", \
                   raised & FE_OVERFLOW ? "O" : "", error);                                       \
    } while (0)

#define INPUTS                                                                                            \
    {0.0, -0.0, 0.25, -0.25, 0.3, 0.5, -0.5, 0.75, -0.9, 1, -1, 1.5, 2.5, -3, 7, 10, 100.25, 1e-10, 1e30,  \
     -1e30, INFINITY, -INFINITY, NAN}
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* OF_TYPES(X, name, …): X(function, type, …) for each type. */
#define OF_TYPES(X, name, ...)                 \
    X(name, double, __VA_ARGS__)               \
    X(name##f, float, __VA_ARGS__)             \
    X(name##l, long double, __VA_ARGS__)       \
    X(name##f128, _Float128, __VA_ARGS__)      \
    X(name##f32, float, __VA_ARGS__)           \
    X(name##f64, double, __VA_ARGS__)          \
    X(name##f32x, double, __VA_ARGS__)         \
    X(name##f64x, long double, __VA_ARGS__)

/* get: LINKED, or the version of a symbol that is newer than the compiler's libm. */
#define LINKED(pointer, symbol) pointer = (void *)symbol
#define SINCE_2_42(pointer, symbol) NEWER("libm.so.6", pointer, #symbol, "GLIBC_2.42")
#define SINCE_2_43(pointer, symbol) NEWER("libm.so.6", pointer, #symbol, "GLIBC_2.43")

#define UNARY(symbol, type, get, exact)                 \
    SYMBOL(symbol)                                      \
    {                                                   \
        type (*f)(type);                                \
        get(f, symbol);                                 \
        static const type in[] = INPUTS;                \
        for (size_t i = 0; i < COUNT(in); i++)          \
            CALL(exact, f(in[i]));                      \
    }

#define BINARY(symbol, type, get, exact)                \
    SYMBOL(symbol)                                      \
    {                                                   \
        type (*f)(type, type);                          \
        get(f, symbol);                                 \
        static const type in[] = INPUTS;                \
        for (size_t i = 0; i < COUNT(in); i++)          \
            for (size_t j = 0; j < COUNT(in); j++)      \
                CALL(exact, f(in[i], in[j]));           \
    }

#endif
