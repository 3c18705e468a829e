/* libm 2.40 to 2.42: C23's exp2m1, sinpi, pown and their like. float and double are computed in long double, long double
 * in _Float128, and rounded: nearly always to the nearest, by the bounds of
 * the wide functions within 0.51 ulp. _Float128 itself, and long double
 * where nothing wider is at hand (i386, aarch64), are within 4 ulp. */
#include "libm.h"

#if LIBM_FLOAT128
#define LONG_DOUBLE_CORE f128
#define LONG_DOUBLE_WIDE _Float128
#else
#define LONG_DOUBLE_CORE l
#define LONG_DOUBLE_WIDE long double
#endif

/* What the wide functions say of their own, wider range must not be seen. */
#define NARROWED(type, call)           \
    int error = *root_errno();         \
    volatile type result = (type)call; \
    *root_errno() = error

#define CALL(name, core) LIBM_CAT(core_##name, core)

#define UNARY_TYPE(type, wide, core, name, suffix, zero)               \
    wide CALL(name, core)(wide);                                       \
    CAPSULE_POLYFILL(type, name##suffix, (type x))                     \
    {                                                                  \
        NARROWED(type, CALL(name, core)(x));                           \
        LIBM_ERRNO(result, __builtin_isnan(x), __builtin_isfinite(x)); \
        return result;                                                 \
    }

/* outside: where a NaN does not excuse the other argument. */
#define BINARY_TYPE(type, wide, core, name, suffix, outside)                         \
    wide CALL(name, core)(wide, wide);                                               \
    CAPSULE_POLYFILL(type, name##suffix, (type x, type y))                           \
    {                                                                                \
        NARROWED(type, CALL(name, core)(x, y));                                      \
        LIBM_ERRNO(result, __builtin_isnan(x) || (__builtin_isnan(y) && !(outside)), \
                   __builtin_isfinite(x) && __builtin_isfinite(y));                  \
        if (result == 0 && x != 0 && __builtin_isfinite(x) && __builtin_isfinite(y)) \
            set_errno(ERANGE);                                                       \
        return result;                                                               \
    }

/* zero: where the result is 0 without having underflown. */
#define POWER_TYPE(type, wide, core, name, suffix, zero)                         \
    wide CALL(name, core)(wide, long long);                                      \
    CAPSULE_POLYFILL(type, name##suffix, (type x, long long n))                  \
    {                                                                            \
        NARROWED(type, CALL(name, core)(x, n));                                  \
        LIBM_ERRNO(result, __builtin_isnan(x) && n != 0, __builtin_isfinite(x)); \
        if (result == 0 && x != (zero) && __builtin_isfinite(x))                 \
            set_errno(ERANGE);                                                   \
        return result;                                                           \
    }

#define OF_TYPES(kind, name, zero)                                         \
    kind(float, long double, l, name, f, zero)                             \
    kind(double, long double, l, name, , zero)                             \
    kind(long double, LONG_DOUBLE_WIDE, LONG_DOUBLE_CORE, name, l, zero)   \
    LIBM_WITH_FLOAT128(kind(_Float128, _Float128, f128, name, f128, zero)) \
    LIBM_ALIASES(name)

OF_TYPES(UNARY_TYPE, exp2m1, );
OF_TYPES(UNARY_TYPE, exp10m1, );
OF_TYPES(UNARY_TYPE, logp1, );
OF_TYPES(UNARY_TYPE, log2p1, );
OF_TYPES(UNARY_TYPE, log10p1, );
OF_TYPES(UNARY_TYPE, sinpi, );
OF_TYPES(UNARY_TYPE, cospi, );
OF_TYPES(UNARY_TYPE, tanpi, );
OF_TYPES(UNARY_TYPE, asinpi, );
OF_TYPES(UNARY_TYPE, acospi, );
OF_TYPES(UNARY_TYPE, atanpi, );
OF_TYPES(BINARY_TYPE, atan2pi, false);
OF_TYPES(UNARY_TYPE, rsqrt, );
OF_TYPES(BINARY_TYPE, powr, __builtin_isless(x, 0));
OF_TYPES(POWER_TYPE, pown, 0);
OF_TYPES(POWER_TYPE, rootn, 0);
OF_TYPES(POWER_TYPE, compoundn, -1);
