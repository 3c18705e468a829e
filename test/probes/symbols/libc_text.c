/* libc: numbers and strings (2.32 to 2.43). */
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbit.h>
#include <stdint.h>
#include <uchar.h>
#include <wchar.h>

#include "symbols.h"

/* C23's scanf, by the names that the headers give it, from a string as from a stream. */
static FILE *opened(const char *text)
{
    FILE *f = tmpfile();
    fputs(text, f);
    rewind(f);
    return f;
}

static FILE *as_stdin(const char *text)
{
    stdin = opened(text);
    return stdin;
}

static int through(int (*f)(FILE *, const char *, va_list), FILE *stream, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = f(stream, format, arguments);
    va_end(arguments);
    return n;
}

static int through_text(int (*f)(const char *, const char *, va_list), const char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = f(text, format, arguments);
    va_end(arguments);
    return n;
}

static int from_stdin(int (*f)(const char *, va_list), const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = f(format, arguments);
    va_end(arguments);
    return n;
}

#define TO &a, &b, s, &d, &e
#define SCANNED(symbol, call)                         \
    SYMBOL(symbol)                                    \
    {                                                 \
        int a = -1, b = -1, e = -1;                   \
        double d = -1;                                \
        char s[20] = "";                              \
        setlocale(LC_ALL, "C.UTF-8");                 \
        SHOW(call);                                   \
        printf(" %d %d \"%s\" %g %d", a, b, s, d, e); \
    }
#define INPUT "0b101 0x1f, [word] 2.5e1 -077z"
#define FORMAT "%i %i, [%10[a-z]] %lf %i"

SCANNED(__isoc23_sscanf, sscanf(INPUT, FORMAT, TO))
SCANNED(__isoc23_fscanf, fscanf(opened(INPUT), FORMAT, TO))
SCANNED(__isoc23_scanf, (as_stdin(INPUT), scanf(FORMAT, TO)))
SCANNED(__isoc23_vsscanf, through_text(vsscanf, INPUT, FORMAT, TO))
SCANNED(__isoc23_vfscanf, through(vfscanf, opened(INPUT), FORMAT, TO))
SCANNED(__isoc23_vscanf, (as_stdin(INPUT), from_stdin(vscanf, FORMAT, TO)))
#define WIDE(x) (void *)L##x
#define WIDER(x) WIDE(x)
SCANNED(__isoc23_swscanf, swscanf(WIDER(INPUT), WIDER(FORMAT), TO))
SCANNED(__isoc23_fwscanf, fwscanf(opened(INPUT), WIDER(FORMAT), TO))
SCANNED(__isoc23_wscanf, (as_stdin(INPUT), wscanf(WIDER(FORMAT), TO)))
SCANNED(__isoc23_vswscanf, through_text((void *)vswscanf, WIDER(INPUT), WIDER(FORMAT), TO))
SCANNED(__isoc23_vfwscanf, through((void *)vfwscanf, opened(INPUT), WIDER(FORMAT), TO))
SCANNED(__isoc23_vwscanf, (as_stdin(INPUT), from_stdin((void *)vwscanf, WIDER(FORMAT), TO)))

static const char *const numbers[] = {"0b11", "-0B10x", "+42", " 0x1F", "077", "99999999999999999999", "-99999999999999999999",
                                      "0b", "zz", "", "18446744073709551615"};
static const int bases[] = {0, 2, 10, 16, 36, 1};

#define PARSED(symbol, ...)                                             \
    SYMBOL(symbol)                                                      \
    {                                                                   \
        locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);            \
        (void)locale;                                                   \
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)   \
            for (size_t j = 0; j < sizeof bases / sizeof *bases; j++) { \
                const char *text = numbers[i];                          \
                wchar_t wide[30];                                       \
                swprintf(wide, 30, L"%s", text);                        \
                char *end = (char *)text;                               \
                wchar_t *wide_end = wide;                               \
                int base = bases[j];                                    \
                SHOW(__VA_ARGS__);                                      \
                printf("+%d", (int)(end - text + (wide_end - wide)));   \
            }                                                           \
    }
PARSED(__isoc23_strtol, strtol(text, &end, base))
PARSED(__isoc23_strtoll, strtoll(text, &end, base))
PARSED(__isoc23_strtoul, strtoul(text, &end, base))
PARSED(__isoc23_strtoull, strtoull(text, &end, base))
PARSED(__isoc23_strtoimax, strtoimax(text, &end, base))
PARSED(__isoc23_strtoumax, strtoumax(text, &end, base))
PARSED(__isoc23_strtol_l, strtol_l(text, &end, base, locale))
PARSED(__isoc23_strtoll_l, strtoll_l(text, &end, base, locale))
PARSED(__isoc23_strtoul_l, strtoul_l(text, &end, base, locale))
PARSED(__isoc23_strtoull_l, strtoull_l(text, &end, base, locale))
PARSED(__isoc23_wcstol, wcstol(wide, &wide_end, base))
PARSED(__isoc23_wcstoll, wcstoll(wide, &wide_end, base))
PARSED(__isoc23_wcstoul, wcstoul(wide, &wide_end, base))
PARSED(__isoc23_wcstoull, wcstoull(wide, &wide_end, base))
PARSED(__isoc23_wcstoimax, wcstoimax(wide, &wide_end, base))
PARSED(__isoc23_wcstoumax, wcstoumax(wide, &wide_end, base))
PARSED(__isoc23_wcstol_l, wcstol_l(wide, &wide_end, base, locale))
PARSED(__isoc23_wcstoll_l, wcstoll_l(wide, &wide_end, base, locale))
PARSED(__isoc23_wcstoul_l, wcstoul_l(wide, &wide_end, base, locale))
PARSED(__isoc23_wcstoull_l, wcstoull_l(wide, &wide_end, base, locale))

size_t __strlcpy_chk(char *, const char *, size_t, size_t);
size_t __strlcat_chk(char *, const char *, size_t, size_t);
size_t __wcslcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
size_t __wcslcat_chk(wchar_t *, const wchar_t *, size_t, size_t);

#define COPIED(symbol, character, format, start, from, ...) \
    SYMBOL(symbol)                                          \
    {                                                       \
        for (size_t size = 0; size < 9; size++) {           \
            character to[9] = start;                        \
            SHOW(symbol(to, from, size __VA_ARGS__));       \
            printf(" " format, to);                         \
        }                                                   \
    }
COPIED(strlcpy, char, "%s", "abc", "12345", )
COPIED(strlcat, char, "%s", "abc", "12345", )
COPIED(wcslcpy, wchar_t, "%ls", L"abc", L"12345", )
COPIED(wcslcat, wchar_t, "%ls", L"abc", L"12345", )
/* The last size is beyond the buffer: the process ends. */
COPIED(__strlcpy_chk, char, "%s", "abc", "12345", , 7)
COPIED(__strlcat_chk, char, "%s", "abc", "12345", , 7)
COPIED(__wcslcpy_chk, wchar_t, "%ls", L"abc", L"12345", , 7)
COPIED(__wcslcat_chk, wchar_t, "%ls", L"abc", L"12345", , 7)

/* Of UTF-8, also of broken. */
SYMBOL(mbrtoc8)
{
    setlocale(LC_ALL, "C.UTF-8");
    static const char *const texts[] = {"A", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\xc3", ""};
    for (size_t i = 0; i < 7; i++) {
        mbstate_t state = {0};
        char8_t c = 0;
        const char *text = texts[i];
        for (int k = 0; k < 5; k++) {
            errno = 0;
            size_t n = mbrtoc8(&c, text, strlen(text) + 1, &state);
            printf(" %zd:%x:%d", (ssize_t)n, c, errno);
            if (n < (size_t)-3)
                text += n;
            if (n == 0 || n == (size_t)-1 || n == (size_t)-2)
                break;
        }
    }
}

SYMBOL(c8rtomb)
{
    setlocale(LC_ALL, "C.UTF-8");
    static const char8_t units[] = {'A', 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0, 0x80};
    mbstate_t state = {0};
    for (size_t i = 0; i < sizeof units; i++) {
        char out[MB_LEN_MAX] = "";
        SHOW(c8rtomb(out, units[i], &state));
        for (int k = 0; k < 4; k++)
            printf(",%x", (unsigned char)out[k]);
    }
}

/* All of <stdbit.h> for all sizes. */
#define BITS(name, suffix, type)                                                                                  \
    SYMBOL(stdc_##name##_##suffix)                                                                                \
    {                                                                                                             \
        static const type in[] = {0, 1, 2, 3, 5, (type)-1, (type)-2, (type)((type)-1 >> 1), (type)((type)-1 / 3), \
                                  (type)((type)1 << (sizeof(type) * 8 - 1)), 100};                                \
        for (size_t i = 0; i < sizeof in / sizeof *in; i++)                                                       \
            if (strcmp(#name, "bit_ceil") || in[i] <= (type)((type)1 << (sizeof(type) * 8 - 1)))                  \
                SHOW(stdc_##name##_##suffix(in[i]));                                                              \
    }
#define BITS_OF(name)              \
    BITS(name, uc, unsigned char)  \
    BITS(name, us, unsigned short) \
    BITS(name, ui, unsigned)       \
    BITS(name, ul, unsigned long)  \
    BITS(name, ull, unsigned long long)
BITS_OF(leading_zeros)
BITS_OF(leading_ones)
BITS_OF(trailing_zeros)
BITS_OF(trailing_ones)
BITS_OF(first_leading_zero)
BITS_OF(first_leading_one)
BITS_OF(first_trailing_zero)
BITS_OF(first_trailing_one)
BITS_OF(count_zeros)
BITS_OF(count_ones)
BITS_OF(has_single_bit)
BITS_OF(bit_width)
BITS_OF(bit_floor)
BITS_OF(bit_ceil)

int __memcmpeq(const void *, const void *, size_t);
SYMBOL(__memcmpeq)
{
    for (size_t n = 0; n < 6; n++)
        SHOW(__memcmpeq("abcde", "abcxe", n) != 0);
}

#define NAMES(symbol, from, to)           \
    SYMBOL(symbol)                        \
    {                                     \
        for (int i = from; i < to; i++) { \
            const char *name = symbol(i); \
            TEXT(name ? name : "(null)"); \
        }                                 \
    }
#include <signal.h>
NAMES(sigabbrev_np, -1, 70)
NAMES(sigdescr_np, -1, 70)
/* EFTYPE, 134, is itself younger. */
NAMES(strerrorname_np, -1, 134)
NAMES(strerrordesc_np, -1, 134)

#if LDBL_MANT_DIG != 113 /* else it is __isnanl */
SYMBOL(__isnanf128)
{
    int __isnanf128(_Float128);
    SHOW(!!__isnanf128((_Float128)__builtin_nan("")) + 2 * !!__isnanf128(1));
}
#endif
