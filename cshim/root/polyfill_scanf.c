/* __isoc23_scanf and its family (glibc 2.38). They differ from the runtime's __isoc99_ functions (2.7) in what ISO C23
 * added: %i takes a binary number with the prefix 0b, %b reads a binary number, %wN and %wfN give an integer's width
 * in bits. A format with none of these goes to the runtime as it is. Otherwise it is carried out directive by
 * directive: those three here, every other one by the runtime.
 *
 * Not done: C23's additions in a format with positions (%1$i), which the runtime then gets as a whole. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "polyfill.h"

CAPSULE_IMPORT(void *, malloc, (size_t));
CAPSULE_IMPORT(void, free, (void *));
CAPSULE_IMPORT(void, flockfile, (FILE *));
CAPSULE_IMPORT(void, funlockfile, (FILE *));
CAPSULE_IMPORT(int, isspace, (int));
CAPSULE_IMPORT(int, iswspace, (wint_t));
CAPSULE_IMPORT(int, getc, (FILE *));
CAPSULE_IMPORT(wint_t, getwc, (FILE *));
CAPSULE_IMPORT(int, ungetc, (int, FILE *));
CAPSULE_IMPORT(wint_t, ungetwc, (wint_t, FILE *));
CAPSULE_IMPORT(int, __isoc99_sscanf, (const char *, const char *, ...));
CAPSULE_IMPORT(int, __isoc99_fscanf, (FILE *, const char *, ...));
CAPSULE_IMPORT(int, __isoc99_swscanf, (const wchar_t *, const wchar_t *, ...));
CAPSULE_IMPORT(int, __isoc99_fwscanf, (FILE *, const wchar_t *, ...));
static FILE **base_stdin; /* the variable, not the stream: programs assign to it */
static struct capsule_import import_stdin __attribute__((section("capsule_imports"), used)) = {
    "stdin", (void **)&base_stdin, NULL, 0};

struct directive {
    size_t length;       /* in the format, in characters */
    unsigned conversion; /* 0: text to match */
    unsigned width;      /* 0: none given */
    unsigned size;       /* of the integer, in bytes; 0: no such width */
    bool suppressed, positional, ours;
};

enum outcome { MATCHED, MATCHING_FAILURE, INPUT_FAILURE };

struct number {
    unsigned base;
    bool negative, digits, overflow;
    unsigned long long value;
};

static unsigned base_of(unsigned conversion)
{
    return conversion == 'i' ? 0 : conversion == 'b' ? 2 : conversion == 'o' ? 8 : (conversion | ' ') == 'x' ? 16 : 10;
}

/* The base that a letter after a 0 means; 0: it is no prefix. */
static unsigned base_with_prefix(unsigned base, long letter)
{
    if ((letter | ' ') == 'x' && (base == 0 || base == 16))
        return 16;
    return (letter | ' ') == 'b' && (base == 0 || base == 2) ? 2 : 0;
}

static bool add_digit(struct number *n, long c)
{
    unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                     : (c | ' ') >= 'a' && (c | ' ') <= 'f' && c < 128 ? (unsigned)((c | ' ') - 'a' + 10)
                                                                     : 16;
    if (digit >= n->base)
        return false;
    n->digits = true;
    n->overflow |= n->value > (ULLONG_MAX - digit) / n->base;
    n->value = n->value * n->base + digit;
    return true;
}

/* As strtol or strtoul: what does not fit is the nearest number of long (of long long, where that is asked for); then
 * a smaller type takes the low bits. */
static unsigned long long limited(const struct number *n, const struct directive *d)
{
    bool longest = d->size > sizeof(long);
    unsigned long long max = longest ? ULLONG_MAX : ULONG_MAX, limit = max;
    if (d->conversion == 'i' || d->conversion == 'd')
        limit = max / 2 + n->negative;
    if (n->overflow || n->value > limit) {
        set_errno(ERANGE);
        return limit;
    }
    return n->negative ? -n->value : n->value;
}

static void store(const struct number *n, const struct directive *d, void *to)
{
    unsigned long long value = limited(n, d);
    memcpy(to, &value, d->size); /* little-endian, as all architectures here */
}

#define CHAR char
#define UNSIGNED_CHAR unsigned char
#define END EOF
#define NAME(x) narrow_##x
#define IS_SPACE base_isspace
#define READ base_getc
#define UNREAD(c, stream) base_ungetc((int)(c), stream)
#define SCAN_TEXT base___isoc99_sscanf
#define SCAN_STREAM base___isoc99_fscanf
#include "polyfill_scanf_template.h"
#undef CHAR
#undef UNSIGNED_CHAR
#undef END
#undef NAME
#undef IS_SPACE
#undef READ
#undef UNREAD
#undef SCAN_TEXT
#undef SCAN_STREAM

#define CHAR wchar_t
#define UNSIGNED_CHAR wint_t
#define END WEOF
#define NAME(x) wide_##x
#define IS_SPACE base_iswspace
#define READ base_getwc
#define UNREAD(c, stream) base_ungetwc((wint_t)(c), stream)
#define SCAN_TEXT base___isoc99_swscanf
#define SCAN_STREAM base___isoc99_fwscanf
#include "polyfill_scanf_template.h"

/* For each pair, NAME and vNAME: the whole format in one go, or in pieces with the stream locked in between. kind is
 * narrow or wide, parameters and forwarded are what stands before the va_list. */
#define SCANF(name, kind, parameters, forwarded, ...)                                     \
    CAPSULE_IMPORT(int, __isoc99_v##name, (UNPACK parameters, va_list));                  \
    CAPSULE_POLYFILL(int, __isoc23_v##name, (UNPACK parameters, va_list arguments))       \
    {                                                                                     \
        if (!kind##_needs_us(format))                                                     \
            return base___isoc99_v##name(UNPACK forwarded, arguments);                    \
        struct kind##_input in = {__VA_ARGS__};                                           \
        if (in.stream)                                                                    \
            base_flockfile(in.stream);                                                    \
        int result = kind##_scan(in, format, arguments);                                  \
        if (in.stream)                                                                    \
            base_funlockfile(in.stream);                                                  \
        return result;                                                                    \
    }                                                                                     \
    CAPSULE_POLYFILL(int, __isoc23_##name, (UNPACK parameters, ...))                      \
    {                                                                                     \
        va_list arguments;                                                                \
        va_start(arguments, format);                                                      \
        int result = polyfill___isoc23_v##name(UNPACK forwarded, arguments);              \
        va_end(arguments);                                                                \
        return result;                                                                    \
    }
#define UNPACK(...) __VA_ARGS__

SCANF(scanf, narrow, (const char *format), (format), .stream = *base_stdin)
SCANF(fscanf, narrow, (FILE *stream, const char *format), (stream, format), .stream = stream)
SCANF(sscanf, narrow, (const char *text, const char *format), (text, format), .text = text)
SCANF(wscanf, wide, (const wchar_t *format), (format), .stream = *base_stdin)
SCANF(fwscanf, wide, (FILE *stream, const wchar_t *format), (stream, format), .stream = stream)
SCANF(swscanf, wide, (const wchar_t *text, const wchar_t *format), (text, format), .text = text)
