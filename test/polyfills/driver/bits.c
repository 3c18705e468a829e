/* stdbit.h and absolute values, against slow and obvious definitions. */
#include "driver.h"

#include <limits.h>

typedef unsigned long long widest;

static const widest values[] = {
    0, 1, 2, 3, 4, 5, 7, 8, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x12345678,
    0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x100000000, 0x123456789abcdef0, 0x7fffffffffffffff,
    0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe, 0xffffffffffffffff,
};

static bool bit(widest x, int i)
{
    return x >> i & 1;
}

/* How many bits, from the top or from the bottom, are the same as wanted; and how many of all. */
static int run_above(widest x, int width, bool wanted)
{
    int n = 0;
    while (n < width && bit(x, width - 1 - n) == wanted)
        n++;
    return n;
}

static int run_below(widest x, int width, bool wanted)
{
    int n = 0;
    while (n < width && bit(x, n) == wanted)
        n++;
    return n;
}

static int count(widest x, int width, bool wanted)
{
    int n = 0;
    for (int i = 0; i < width; i++)
        n += bit(x, i) == wanted;
    return n;
}

static int first(int before, int width)
{
    return before == width ? 0 : before + 1;
}

static widest power(widest x, int width, bool up)
{
    for (int i = up ? 0 : width - 1; up ? i < width : i >= 0; i += up ? 1 : -1)
        if (up ? (widest)1 << i >= x : (widest)1 << i <= x)
            return (widest)1 << i;
    return 0;
}

#define EACH(result, type, wanted)                                             \
    {                                                                          \
        result (*f)(type) = implementation;                                    \
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {        \
            type x = (type)values[i];                                          \
            const int w = sizeof(type) * CHAR_BIT;                             \
            (void)w;                                                           \
            EQUAL(f(x), wanted);                                               \
        }                                                                      \
    }

#define TYPE(suffix, type)                                                                                          \
    static void leading_zeros_##suffix(void *implementation) EACH(unsigned, type, run_above(x, w, false))           \
    static void leading_ones_##suffix(void *implementation) EACH(unsigned, type, run_above(x, w, true))             \
    static void trailing_zeros_##suffix(void *implementation) EACH(unsigned, type, run_below(x, w, false))          \
    static void trailing_ones_##suffix(void *implementation) EACH(unsigned, type, run_below(x, w, true))            \
    static void first_leading_zero_##suffix(void *implementation)                                                   \
        EACH(unsigned, type, first(run_above(x, w, true), w))                                                       \
    static void first_leading_one_##suffix(void *implementation)                                                    \
        EACH(unsigned, type, first(run_above(x, w, false), w))                                                      \
    static void first_trailing_zero_##suffix(void *implementation)                                                  \
        EACH(unsigned, type, first(run_below(x, w, true), w))                                                       \
    static void first_trailing_one_##suffix(void *implementation)                                                   \
        EACH(unsigned, type, first(run_below(x, w, false), w))                                                      \
    static void count_zeros_##suffix(void *implementation) EACH(unsigned, type, count(x, w, false))                 \
    static void count_ones_##suffix(void *implementation) EACH(unsigned, type, count(x, w, true))                   \
    static void has_single_bit_##suffix(void *implementation) EACH(bool, type, count(x, w, true) == 1)              \
    static void bit_width_##suffix(void *implementation) EACH(unsigned, type, w - run_above(x, w, false))           \
    static void bit_floor_##suffix(void *implementation) EACH(type, type, power(x, w, false))                       \
    static void bit_ceil_##suffix(void *implementation) EACH(type, type, power(x, w, true))                         \
    static void check_##suffix(void)                                                                                \
    {                                                                                                               \
        static const struct {                                                                                       \
            const char *name;                                                                                       \
            check_function *judge;                                                                                  \
        } all[] = {ROW(leading_zeros, suffix),      ROW(leading_ones, suffix),        ROW(trailing_zeros, suffix),  \
                   ROW(trailing_ones, suffix),      ROW(first_leading_zero, suffix),  ROW(first_leading_one, suffix), \
                   ROW(first_trailing_zero, suffix), ROW(first_trailing_one, suffix), ROW(count_zeros, suffix),     \
                   ROW(count_ones, suffix),         ROW(has_single_bit, suffix),      ROW(bit_width, suffix),       \
                   ROW(bit_floor, suffix),          ROW(bit_ceil, suffix)};                                         \
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)                                                     \
            check(all[i].name, all[i].judge);                                                                       \
    }
#define ROW(name, suffix) {"stdc_" #name "_" #suffix, name##_##suffix}

TYPE(uc, unsigned char)
TYPE(us, unsigned short)
TYPE(ui, unsigned)
TYPE(ul, unsigned long)
TYPE(ull, unsigned long long)

#define ABSOLUTE(name, type, min, max)            \
    static void judge_##name(void *implementation) \
    {                                             \
        unsigned type (*f)(type) = implementation; \
        EQUAL(f(0), 0);                           \
        EQUAL(f(-5), 5);                          \
        EQUAL(f(5), 5);                           \
        EQUAL(f(max), max);                       \
        EXPECT(f(min) == (unsigned type)max + 1); \
    }
ABSOLUTE(uabs, int, INT_MIN, INT_MAX)
ABSOLUTE(ulabs, long, LONG_MIN, LONG_MAX)
ABSOLUTE(ullabs, long long, LLONG_MIN, LLONG_MAX)

void check_bits(void)
{
    check_uc();
    check_us();
    check_ui();
    check_ul();
    check_ull();
    check("uabs", judge_uabs);
    check("ulabs", judge_ulabs);
    check("ullabs", judge_ullabs);
    check("uimaxabs", judge_ullabs);
    check("umaxabs", judge_ullabs);
}
