/* __isoc23_strtol and its family (glibc 2.38). They differ from the older functions in one point: with base 0 or 2 a
 * number may begin with 0b or 0B (ISO C23, 7.24.1.7). Such numbers are converted here, all others by the runtime. */
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

#include "polyfill.h"

CAPSULE_IMPORT(int, isspace, (int));
CAPSULE_IMPORT(int, isspace_l, (int, locale_t));
CAPSULE_IMPORT(int, iswspace, (wint_t));
CAPSULE_IMPORT(int, iswspace_l, (wint_t, locale_t));

/* What stands at the start of a text, when that is a binary number with a prefix. */
struct binary {
    bool negative, overflow;
    unsigned long long value;
};

/* Leading white space is what the runtime's locale says; everything after it is ASCII in every locale of glibc. */
#define FIND_BINARY(name, character, space)                                                       \
    static const character *name(const character *text, int base, locale_t locale, struct binary *found) \
    {                                                                                             \
        if (base != 0 && base != 2)                                                               \
            return NULL;                                                                          \
        while (space)                                                                             \
            text++;                                                                               \
        *found = (struct binary){.negative = *text == '-'};                                       \
        if (*text == '-' || *text == '+')                                                         \
            text++;                                                                               \
        if (text[0] != '0' || (text[1] != 'b' && text[1] != 'B') || (text[2] != '0' && text[2] != '1')) \
            return NULL;                                                                          \
        for (text += 2; *text == '0' || *text == '1'; text++) {                                   \
            found->overflow |= found->value >> (sizeof found->value * CHAR_BIT - 1);              \
            found->value = found->value << 1 | (unsigned long long)(*text - '0');                 \
        }                                                                                         \
        return text;                                                                              \
    }

FIND_BINARY(find_narrow, char, (locale ? base_isspace_l((unsigned char)*text, locale) : base_isspace((unsigned char)*text)))
FIND_BINARY(find_wide, wchar_t, (locale ? base_iswspace_l((wint_t)*text, locale) : base_iswspace((wint_t)*text)))

static long long as_signed(const struct binary *b, long long min, long long max)
{
    unsigned long long limit = (unsigned long long)max + b->negative;
    if (b->overflow || b->value > limit) {
        set_errno(ERANGE);
        return b->negative ? min : max;
    }
    return (long long)(b->negative ? -b->value : b->value);
}

/* A minus sign negates in the unsigned type; only the magnitude can overflow. */
static unsigned long long as_unsigned(const struct binary *b, unsigned long long min, unsigned long long max)
{
    (void)min;
    if (b->overflow || b->value > max) {
        set_errno(ERANGE);
        return max;
    }
    return b->negative ? -b->value : b->value;
}

#define STRTO(type, name, character, find, convert, min, max)                                                 \
    CAPSULE_IMPORT(type, name, (const character *, character **, int));                                       \
    CAPSULE_POLYFILL(type, __isoc23_##name, (const character *text, character **end, int base))               \
    {                                                                                                         \
        struct binary binary;                                                                                 \
        const character *after = find(text, base, NULL, &binary);                                             \
        if (!after)                                                                                           \
            return base_##name(text, end, base);                                                              \
        if (end)                                                                                              \
            *end = (character *)after;                                                                        \
        return (type)convert(&binary, min, max);                                                              \
    }
#define STRTO_L(type, name, character, find, convert, min, max)                                               \
    CAPSULE_IMPORT(type, name, (const character *, character **, int, locale_t));                             \
    CAPSULE_POLYFILL(type, __isoc23_##name, (const character *text, character **end, int base, locale_t locale)) \
    {                                                                                                         \
        struct binary binary;                                                                                 \
        const character *after = find(text, base, locale, &binary);                                           \
        if (!after)                                                                                           \
            return base_##name(text, end, base, locale);                                                      \
        if (end)                                                                                              \
            *end = (character *)after;                                                                        \
        return (type)convert(&binary, min, max);                                                              \
    }

STRTO(long, strtol, char, find_narrow, as_signed, LONG_MIN, LONG_MAX)
STRTO(long long, strtoll, char, find_narrow, as_signed, LLONG_MIN, LLONG_MAX)
STRTO(unsigned long, strtoul, char, find_narrow, as_unsigned, 0, ULONG_MAX)
STRTO(unsigned long long, strtoull, char, find_narrow, as_unsigned, 0, ULLONG_MAX)
STRTO(intmax_t, strtoimax, char, find_narrow, as_signed, INTMAX_MIN, INTMAX_MAX)
STRTO(uintmax_t, strtoumax, char, find_narrow, as_unsigned, 0, UINTMAX_MAX)
STRTO_L(long, strtol_l, char, find_narrow, as_signed, LONG_MIN, LONG_MAX)
STRTO_L(long long, strtoll_l, char, find_narrow, as_signed, LLONG_MIN, LLONG_MAX)
STRTO_L(unsigned long, strtoul_l, char, find_narrow, as_unsigned, 0, ULONG_MAX)
STRTO_L(unsigned long long, strtoull_l, char, find_narrow, as_unsigned, 0, ULLONG_MAX)

STRTO(long, wcstol, wchar_t, find_wide, as_signed, LONG_MIN, LONG_MAX)
STRTO(long long, wcstoll, wchar_t, find_wide, as_signed, LLONG_MIN, LLONG_MAX)
STRTO(unsigned long, wcstoul, wchar_t, find_wide, as_unsigned, 0, ULONG_MAX)
STRTO(unsigned long long, wcstoull, wchar_t, find_wide, as_unsigned, 0, ULLONG_MAX)
STRTO(intmax_t, wcstoimax, wchar_t, find_wide, as_signed, INTMAX_MIN, INTMAX_MAX)
STRTO(uintmax_t, wcstoumax, wchar_t, find_wide, as_unsigned, 0, UINTMAX_MAX)
STRTO_L(long, wcstol_l, wchar_t, find_wide, as_signed, LONG_MIN, LONG_MAX)
STRTO_L(long long, wcstoll_l, wchar_t, find_wide, as_signed, LLONG_MIN, LLONG_MAX)
STRTO_L(unsigned long, wcstoul_l, wchar_t, find_wide, as_unsigned, 0, ULONG_MAX)
STRTO_L(unsigned long long, wcstoull_l, wchar_t, find_wide, as_unsigned, 0, ULLONG_MAX)
