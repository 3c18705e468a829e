/* The functions of ISO C23's <stdbit.h> (7.18), in glibc since 2.39: 14 operations on five types each. Suffixes as in
 * C23: uc char, us short, ui int, ul long, ull long long. No builtin that would need libgcc (popcount). */
#include <limits.h>

#include "polyfill.h"

typedef unsigned long long widest;

static inline unsigned ones(widest x)
{
    unsigned n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

/* Both count in a value of the given width in bits; nothing set: the width. */
static inline unsigned zeros_above(widest x, unsigned width)
{
    return x ? (unsigned)__builtin_clzll(x) - ((unsigned)sizeof(widest) * CHAR_BIT - width) : width;
}

static inline unsigned zeros_below(widest x, unsigned width)
{
    return x ? (unsigned)__builtin_ctzll(x) : width;
}

/* A position counted from 1; 0: there is none. */
static inline unsigned first(unsigned before, unsigned width)
{
    return before < width ? before + 1 : 0;
}

#define COUNTER(name, suffix, type, result)                            \
    CAPSULE_POLYFILL(unsigned, stdc_##name##_##suffix, (type x))       \
    {                                                                  \
        const unsigned width = sizeof(type) * CHAR_BIT;                \
        const type inverted = (type)~x;                                \
        (void)inverted;                                                \
        (void)width;                                                   \
        return result;                                                 \
    }

#define STDBIT(suffix, type)                                                               \
    COUNTER(leading_zeros, suffix, type, zeros_above(x, width))                            \
    COUNTER(leading_ones, suffix, type, zeros_above(inverted, width))                      \
    COUNTER(trailing_zeros, suffix, type, zeros_below(x, width))                           \
    COUNTER(trailing_ones, suffix, type, zeros_below(inverted, width))                     \
    COUNTER(first_leading_zero, suffix, type, first(zeros_above(inverted, width), width))  \
    COUNTER(first_leading_one, suffix, type, first(zeros_above(x, width), width))          \
    COUNTER(first_trailing_zero, suffix, type, first(zeros_below(inverted, width), width)) \
    COUNTER(first_trailing_one, suffix, type, first(zeros_below(x, width), width))         \
    COUNTER(count_zeros, suffix, type, ones(inverted))                                     \
    COUNTER(count_ones, suffix, type, ones(x))                                             \
    COUNTER(bit_width, suffix, type, width - zeros_above(x, width))                        \
    CAPSULE_POLYFILL(_Bool, stdc_has_single_bit_##suffix, (type x))                        \
    {                                                                                      \
        return x && !(x & (x - 1));                                                        \
    }                                                                                      \
    CAPSULE_POLYFILL(type, stdc_bit_floor_##suffix, (type x))                              \
    {                                                                                      \
        return x ? (type)((widest)1 << (polyfill_stdc_bit_width_##suffix(x) - 1)) : 0;     \
    }                                                                                      \
    /* 0 where the type has no such power of two: in two shifts, each less than the width. */ \
    CAPSULE_POLYFILL(type, stdc_bit_ceil_##suffix, (type x))                               \
    {                                                                                      \
        if (x <= 1)                                                                        \
            return 1;                                                                      \
        return (type)((widest)2 << (polyfill_stdc_bit_width_##suffix((type)(x - 1)) - 1)); \
    }

STDBIT(uc, unsigned char)
STDBIT(us, unsigned short)
STDBIT(ui, unsigned)
STDBIT(ul, unsigned long)
STDBIT(ull, unsigned long long)
