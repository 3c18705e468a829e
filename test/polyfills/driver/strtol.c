/* __isoc23_strto*, narrow and wide, without and with a locale. */
#include "driver.h"

#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <wchar.h>

/* What the type with the name must give. */
static const struct sample {
    const char *text;
    int base, consumed, error;
    bool overflows; /* the result is the type's limit */
    long long value;
} samples[] = {
    {"0b101", 0, 5, 0, false, 5},
    {"0B101", 2, 5, 0, false, 5},
    {" \t\n-0b11x", 0, 8, 0, false, -3},
    {"+0b10", 2, 5, 0, false, 2},
    {"0b", 0, 1, 0, false, 0},
    {"0b", 2, 1, 0, false, 0},
    {"0b2", 0, 1, 0, false, 0},
    {"-0bx", 2, 2, 0, false, 0},
    {"0b101", 16, 5, 0, false, 0xb101},
    {"0b101", 10, 1, 0, false, 0},
    {"0b101", 36, 5, 0, false, 514513},
    {"0b 1", 0, 1, 0, false, 0},
    {"- 0b1", 0, 0, 0, false, 0},
    {"0b0000000000000000000000000000000000000000000000000000000000000000000000000000000000001", 0, 87, 0, false, 1},
    {"0b11111111111111111111111111111111111111111111111111111111111111111", 0, 67, ERANGE, true, 0},
    {"-0b11111111111111111111111111111111111111111111111111111111111111111", 2, 68, ERANGE, true, -1},
    {"0x1f", 0, 4, 0, false, 0x1f},
    {"017", 0, 3, 0, false, 15},
    {"-42", 10, 3, 0, false, -42},
    {"", 0, 0, 0, false, 0},
    {"zz", 0, 0, 0, false, 0},
    {"1", 1, 0, EINVAL, false, 0},
    {"99999999999999999999999", 10, 23, ERANGE, true, 0},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static long long limit(const struct sample *s, bool is_signed, int bits)
{
    if (!is_signed)
        return -1 & (bits == 64 ? -1LL : 0xffffffffLL);
    long long max = bits == 64 ? LLONG_MAX : 0x7fffffff;
    return s->value < 0 ? -max - 1 : max;
}

static void widen(wchar_t *to, const char *from)
{
    do
        *to++ = (unsigned char)*from;
    while (*from++);
}

static locale_t c_locale;

#define JUDGE(name, type, is_signed, character, prepare, types, ...)                       \
    static void judge_##name(void *implementation)                                         \
    {                                                                                      \
        type(*convert) types = implementation;                                             \
        for (int i = 0; i < SAMPLES; i++) {                                                \
            const struct sample *s = &samples[i];                                          \
            character text[100], *end = NULL;                                              \
            prepare(text, s->text);                                                        \
            errno = 0;                                                                     \
            type value = convert(__VA_ARGS__);                                             \
            type want = s->overflows ? (type)limit(s, is_signed, (int)sizeof(type) * 8) : (type)s->value; \
            char what[200];                                                                \
            snprintf(what, sizeof what, "\"%s\" base %d: %lld, consumed %d, errno %d", s->text, s->base, \
                     (long long)value, end ? (int)(end - text) : -1, errno);               \
            bool consumed = s->error == EINVAL || (end && end - text == s->consumed);      \
            expect(value == want && consumed && errno == s->error, what, __FILE__, __LINE__); \
        }                                                                                  \
        character one[10];                                                                 \
        character *text = one, **no_end = NULL;                                            \
        struct sample base0 = {0}, *s = &base0;                                            \
        (void)no_end;                                                                      \
        prepare(one, "0b11");                                                              \
        EQUAL(convert(WITHOUT_END(__VA_ARGS__)), 3);                                       \
    }
#define WITHOUT_END(...) WITHOUT_END_(__VA_ARGS__)
#define WITHOUT_END_(text, end, ...) text, NULL, __VA_ARGS__

#define PLAIN(name, type, is_signed, character, prepare) \
    JUDGE(name, type, is_signed, character, prepare, (const character *, character **, int), text, &end, s->base)
#define LOCALE(name, type, is_signed, character, prepare)                                                     \
    JUDGE(name, type, is_signed, character, prepare, (const character *, character **, int, locale_t), text, &end, \
          s->base, c_locale)

PLAIN(strtol, long, true, char, strcpy)
PLAIN(strtoll, long long, true, char, strcpy)
PLAIN(strtoul, unsigned long, false, char, strcpy)
PLAIN(strtoull, unsigned long long, false, char, strcpy)
PLAIN(strtoimax, intmax_t, true, char, strcpy)
PLAIN(strtoumax, uintmax_t, false, char, strcpy)
LOCALE(strtol_l, long, true, char, strcpy)
LOCALE(strtoll_l, long long, true, char, strcpy)
LOCALE(strtoul_l, unsigned long, false, char, strcpy)
LOCALE(strtoull_l, unsigned long long, false, char, strcpy)
PLAIN(wcstol, long, true, wchar_t, widen)
PLAIN(wcstoll, long long, true, wchar_t, widen)
PLAIN(wcstoul, unsigned long, false, wchar_t, widen)
PLAIN(wcstoull, unsigned long long, false, wchar_t, widen)
PLAIN(wcstoimax, intmax_t, true, wchar_t, widen)
PLAIN(wcstoumax, uintmax_t, false, wchar_t, widen)
LOCALE(wcstol_l, long, true, wchar_t, widen)
LOCALE(wcstoll_l, long long, true, wchar_t, widen)
LOCALE(wcstoul_l, unsigned long, false, wchar_t, widen)
LOCALE(wcstoull_l, unsigned long long, false, wchar_t, widen)

void check_strtol(void)
{
    c_locale = RT(newlocale)(LC_ALL_MASK, "C", (locale_t)0);
#define CHECK(name) check("__isoc23_" #name, judge_##name);
    CHECK(strtol) CHECK(strtoll) CHECK(strtoul) CHECK(strtoull) CHECK(strtoimax) CHECK(strtoumax)
    CHECK(strtol_l) CHECK(strtoll_l) CHECK(strtoul_l) CHECK(strtoull_l)
    CHECK(wcstol) CHECK(wcstoll) CHECK(wcstoul) CHECK(wcstoull) CHECK(wcstoimax) CHECK(wcstoumax)
    CHECK(wcstol_l) CHECK(wcstoll_l) CHECK(wcstoul_l) CHECK(wcstoull_l)
}
