/* libm 2.35: maximum and minimum of C23 (F.10.9.4, F.10.9.5). +0 is greater than -0. The plain ones return a NaN if there
 * is one; the _num ones ignore a quiet NaN. The comparisons are quiet, but raise "invalid" for a signaling NaN, and x + y
 * makes one quiet. */
#include "libm.h"

#define GREATER(x, y) __builtin_isgreater(x, y)
#define LESS(x, y) __builtin_isless(x, y)
#define NAN_IF_ANY(x, y) ((x) + (y))
#define NAN_IF_BOTH(x, y) (!__builtin_isnan(y) ? (y) : __builtin_isnan(x) ? (x) + (y) : (x))

/* key: what is compared. first: true if x is the answer. Equal keys: a positive number is the greater. */
#define EXTREME(type, name, key, above, below, positive_first, unordered)                                  \
    CAPSULE_POLYFILL(type, name, (type x, type y))                                                         \
    {                                                                                                      \
        type a = key(x), b = key(y);                                                                       \
        if (above(a, b))                                                                                   \
            return x;                                                                                      \
        if (below(a, b))                                                                                   \
            return y;                                                                                      \
        if (a == b)                                                                                        \
            return (__builtin_signbit(x) == 0) == positive_first ? x : y;                                  \
        return unordered(x, y);                                                                            \
    }

#define ITSELF(x) (x)

#define OF_TYPE(type, suffix, fabs)                                                                        \
    EXTREME(type, fmaximum##suffix, ITSELF, GREATER, LESS, true, NAN_IF_ANY)                               \
    EXTREME(type, fminimum##suffix, ITSELF, LESS, GREATER, false, NAN_IF_ANY)                              \
    EXTREME(type, fmaximum_num##suffix, ITSELF, GREATER, LESS, true, NAN_IF_BOTH)                          \
    EXTREME(type, fminimum_num##suffix, ITSELF, LESS, GREATER, false, NAN_IF_BOTH)                         \
    EXTREME(type, fmaximum_mag##suffix, fabs, GREATER, LESS, true, NAN_IF_ANY)                             \
    EXTREME(type, fminimum_mag##suffix, fabs, LESS, GREATER, false, NAN_IF_ANY)                            \
    EXTREME(type, fmaximum_mag_num##suffix, fabs, GREATER, LESS, true, NAN_IF_BOTH)                        \
    EXTREME(type, fminimum_mag_num##suffix, fabs, LESS, GREATER, false, NAN_IF_BOTH)

OF_TYPE(float, f, __builtin_fabsf)
OF_TYPE(double, , __builtin_fabs)
OF_TYPE(long double, l, __builtin_fabsl)
LIBM_WITH_FLOAT128(OF_TYPE(_Float128, f128, __builtin_fabsf128))

LIBM_ALIASES(fmaximum);
LIBM_ALIASES(fminimum);
LIBM_ALIASES(fmaximum_num);
LIBM_ALIASES(fminimum_num);
LIBM_ALIASES(fmaximum_mag);
LIBM_ALIASES(fminimum_mag);
LIBM_ALIASES(fmaximum_mag_num);
LIBM_ALIASES(fminimum_mag_num);
