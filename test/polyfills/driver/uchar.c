/* mbrtoc8 and c8rtomb, in UTF-8 and in the C locale. */
#include "driver.h"

#include <locale.h>
#include <wchar.h>

typedef unsigned char unit;

static bool utf8;

static void decode(void *implementation, const char *text, size_t size, const char *units)
{
    size_t (*f)(unit *, const char *, size_t, mbstate_t *) = implementation;
    mbstate_t state = {0};
    unit c = 0;
    EQUAL(f(&c, text, size, &state), size);
    EQUAL(c, (unit)units[0]);
    for (size_t i = 1; units[i]; i++) {
        EXPECT(!mbsinit(&state));
        EQUAL(f(&c, "x", 1, &state), (size_t)-3);
        EQUAL(c, (unit)units[i]);
    }
    EXPECT(mbsinit(&state));
}

static void judge_mbrtoc8(void *implementation)
{
    size_t (*f)(unit *, const char *, size_t, mbstate_t *) = implementation;
    mbstate_t state = {0};
    unit c = 'x';
    decode(implementation, "a", 1, "a");
    EQUAL(f(&c, "", 1, &state), 0);
    EQUAL(c, 0);
    EQUAL(f(NULL, NULL, 0, &state), 0);
    EQUAL(f(&c, "a", 0, &state), (size_t)-2);
    EQUAL(f(NULL, "ab", 2, &state), 1);
    if (!utf8) {
        EQUAL(f(&c, "~", 1, NULL), 1);
        return;
    }
    decode(implementation, "\xc3\xa9", 2, "\xc3\xa9");
    decode(implementation, "\xe2\x82\xac", 3, "\xe2\x82\xac");
    decode(implementation, "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
    decode(implementation, "\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf");
    /* In two parts, and what comes after, though no place for the units is given. */
    EQUAL(f(&c, "\xe2\x82", 2, &state), (size_t)-2);
    EQUAL(f(&c, "\xac", 1, &state), 1);
    EQUAL(c, 0xe2);
    EQUAL(f(NULL, NULL, 0, &state), (size_t)-3);
    EQUAL(f(&c, "z", 1, &state), (size_t)-3);
    EQUAL(c, 0xac);
    EXPECT(mbsinit(&state));
    FAILS(f(&c, "\xff", 1, &state), (size_t)-1, EILSEQ);
    memset(&state, 0, sizeof state);
    FAILS(f(&c, "\xed\xa0\x80", 3, &state), (size_t)-1, EILSEQ);
    /* Its own state. */
    EQUAL(f(&c, "\xc3\xa9", 2, NULL), 2);
    EQUAL(f(&c, "z", 1, NULL), (size_t)-3);
    EQUAL(c, 0xa9);
}

static void encode(void *implementation, const char *units)
{
    size_t (*f)(char *, unit, mbstate_t *) = implementation;
    mbstate_t state = {0};
    char to[16] = "";
    size_t n = strlen(units);
    for (size_t i = 0; i + 1 < n; i++) {
        EQUAL(f(to, (unit)units[i], &state), 0);
        EXPECT(!mbsinit(&state));
    }
    EQUAL(f(to, (unit)units[n - 1], &state), n);
    EXPECT(!memcmp(to, units, n));
    EXPECT(mbsinit(&state));
}

static void refuse(void *implementation, const char *units)
{
    size_t (*f)(char *, unit, mbstate_t *) = implementation;
    mbstate_t state = {0};
    char to[16];
    size_t n = strlen(units);
    for (size_t i = 0; i + 1 < n; i++)
        EQUAL(f(to, (unit)units[i], &state), 0);
    FAILS(f(to, (unit)units[n - 1], &state), (size_t)-1, EILSEQ);
}

static void judge_c8rtomb(void *implementation)
{
    size_t (*f)(char *, unit, mbstate_t *) = implementation;
    mbstate_t state = {0};
    char to[16] = "x";
    encode(implementation, "a");
    EQUAL(f(to, 0, &state), 1);
    EQUAL(to[0], 0);
    EQUAL(f(NULL, 'x', &state), 1);
    refuse(implementation, "\x80");
    refuse(implementation, "\xc1");
    refuse(implementation, "\xf5");
    refuse(implementation, "\xc3z");
    refuse(implementation, "\xe0\x9f");
    refuse(implementation, "\xed\xa0");
    refuse(implementation, "\xf0\x8f");
    refuse(implementation, "\xf4\x90");
    refuse(implementation, "\xe2\x82z");
    refuse(implementation, "\xf0\x9f\x98\xc0");
    EQUAL(f(to, 0xe2, &state), 0);
    FAILS(f(NULL, 0, &state), (size_t)-1, EILSEQ); /* in the middle of a character */
    if (!utf8) {
        refuse(implementation, "\xe2\x82\xac");
        return;
    }
    encode(implementation, "\xc3\xa9");
    encode(implementation, "\xe2\x82\xac");
    encode(implementation, "\xef\xbf\xbf");
    encode(implementation, "\xf0\x9f\x98\x80");
    encode(implementation, "\xf4\x8f\xbf\xbf");
    EQUAL(f(to, 0xc3, NULL), 0);
    EQUAL(f(to, 0xa9, NULL), 2);
}

void check_uchar(void)
{
    check("mbrtoc8", judge_mbrtoc8);
    check("c8rtomb", judge_c8rtomb);
    utf8 = setlocale(LC_CTYPE, "C.UTF-8");
    if (!utf8)
        printf("note: no C.UTF-8 locale\n");
    check("mbrtoc8", judge_mbrtoc8);
    check("c8rtomb", judge_c8rtomb);
    setlocale(LC_CTYPE, "C");
}
