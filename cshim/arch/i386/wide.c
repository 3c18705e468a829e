/* The compiler calls these for 64-bit arithmetic. They are libgcc's names and meanings (GCC internals, "Integer library
 * routines"); libgcc for 32 bits is not installed with every 64-bit compiler, and the capsule root has no libc. Not
 * exported. Nothing here may divide or count in 64 bits itself. */
#include <stdint.h>

struct halves {
    uint32_t low, high;
};

static struct halves split(uint64_t x)
{
    return (struct halves){(uint32_t)x, (uint32_t)(x >> 32)};
}

/* high:low / by, where high < by, so that the quotient fits 32 bits. */
static uint32_t divide_word(uint32_t high, uint32_t low, uint32_t by, uint32_t *rest)
{
    uint32_t quotient;
    __asm__("divl %[by]" : "=a"(quotient), "=d"(*rest) : "0"(low), "1"(high), [by] "rm"(by));
    return quotient;
}

/* As on every processor here, a division by zero traps. */
static uint64_t divide(uint64_t number, uint64_t by, uint64_t *rest)
{
    struct halves n = split(number), d = split(by);
    if (!d.high) {
        uint32_t r;
        uint32_t high = divide_word(0, n.high, d.low, &r);
        uint32_t low = divide_word(r, n.low, d.low, &r);
        *rest = r;
        return (uint64_t)high << 32 | low;
    }
    /* The quotient fits 32 bits: one bit after the other. */
    uint32_t quotient = 0;
    uint64_t r = n.high;
    for (int bit = 31; bit >= 0; bit--) {
        uint64_t top = r >> 63;
        r = r << 1 | (n.low >> bit & 1);
        quotient <<= 1;
        if (top || r >= by) {
            r -= by;
            quotient |= 1;
        }
    }
    *rest = r;
    return quotient;
}

static uint64_t magnitude(int64_t x)
{
    return x < 0 ? -(uint64_t)x : (uint64_t)x;
}

uint64_t __udivdi3(uint64_t number, uint64_t by);
uint64_t __umoddi3(uint64_t number, uint64_t by);
uint64_t __udivmoddi4(uint64_t number, uint64_t by, uint64_t *rest);
int64_t __divdi3(int64_t number, int64_t by);
int64_t __moddi3(int64_t number, int64_t by);
int __ctzdi2(uint64_t x);
int __clzdi2(uint64_t x);

uint64_t __udivdi3(uint64_t number, uint64_t by)
{
    uint64_t rest;
    return divide(number, by, &rest);
}

uint64_t __umoddi3(uint64_t number, uint64_t by)
{
    uint64_t rest;
    divide(number, by, &rest);
    return rest;
}

uint64_t __udivmoddi4(uint64_t number, uint64_t by, uint64_t *rest)
{
    uint64_t unwanted;
    return divide(number, by, rest ? rest : &unwanted);
}

int64_t __divdi3(int64_t number, int64_t by)
{
    uint64_t rest, quotient = divide(magnitude(number), magnitude(by), &rest);
    return (int64_t)((number < 0) != (by < 0) ? -quotient : quotient);
}

/* The rest has the number's sign. */
int64_t __moddi3(int64_t number, int64_t by)
{
    uint64_t rest;
    divide(magnitude(number), magnitude(by), &rest);
    return (int64_t)(number < 0 ? -rest : rest);
}

/* Undefined for 0, as the builtins are. */
int __ctzdi2(uint64_t x)
{
    struct halves h = split(x);
    return h.low ? __builtin_ctz(h.low) : 32 + __builtin_ctz(h.high);
}

int __clzdi2(uint64_t x)
{
    struct halves h = split(x);
    return h.high ? __builtin_clz(h.high) : 32 + __builtin_clz(h.low);
}
