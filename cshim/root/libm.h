/* What the polyfills of libm share. They call the runtime's libm, which need not be loaded before a driver's proxy of
 * it is filled, and that is before anything can call these. */
#ifndef CAPSULE_LIBM_H
#define CAPSULE_LIBM_H

#include "polyfill.h"

#define LIBM "libm.so.6"

#define LIBM_CAT_(a, b) a##b
#define LIBM_CAT(a, b) LIBM_CAT_(a, b)

/* base_NAME, also where NAME is the result of a macro. */
#define LIBM_IMPORT(type, name, arguments) CAPSULE_IMPORT_FROM(LIBM, type, name, arguments)

/* A second name of a polyfill: _Float32, _Float64 and _Float32x, _Float64x are float, double and long double. Where that
 * is binary128 (aarch64), and not x87's format, it is _Float128 too. */
#define LIBM_ALIAS(name, polyfill)                                                              \
    extern typeof(polyfill_##polyfill) polyfill_##name __asm__("polyfill$" #name)                \
        __attribute__((visibility("default"), used, alias("polyfill$" #polyfill)))

#define LIBM_ALIASES(name)                     \
    LIBM_ALIAS(name##f32, name##f);             \
    LIBM_ALIAS(name##f64, name);                \
    LIBM_ALIAS(name##f32x, name);               \
    LIBM_SAME_AS_LONG(name##f128, name##l);     \
    LIBM_ALIAS(name##f64x, name##l)

#if __LDBL_MANT_DIG__ == 113
#define LIBM_LONG_IS_FLOAT128 1
#define LIBM_SAME_AS_LONG(name, polyfill) LIBM_ALIAS(name, polyfill)
#else
#define LIBM_LONG_IS_FLOAT128 0
#define LIBM_SAME_AS_LONG(name, polyfill)
#endif

/* A type of its own: _Float128 beside x87's long double. It needs libgcc's functions, which a compiler for x86-64 does
 * not have for -m32: 32-bit programs get slots. */
#ifdef __x86_64__
#define LIBM_FLOAT128 1
#define LIBM_WITH_FLOAT128(...) __VA_ARGS__
#else
#define LIBM_FLOAT128 0
#define LIBM_WITH_FLOAT128(...)
#endif

/* _Float128 came with glibc 2.26. */
#define LIBM_NEED(function)                                                                     \
    do {                                                                                        \
        if (!(function))                                                                        \
            polyfill_fatal("capsule: error: the runtime's libm is older than 2.26 and has no _Float128\n"); \
    } while (0)

/* errno as glibc's wrappers set it: EDOM for a NaN made of numbers, ERANGE for an infinity made of finite numbers. */
#define LIBM_ERRNO(result, arguments_nan, arguments_finite)       \
    do {                                                          \
        if (__builtin_isnan(result)) {                            \
            if (!(arguments_nan))                                 \
                set_errno(EDOM);                                  \
        } else if (__builtin_isinf(result) && (arguments_finite)) \
            set_errno(ERANGE);                                    \
    } while (0)

#endif
