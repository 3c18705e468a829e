/* UTF-8 code units and the locale's multibyte characters (glibc 2.36, ISO C23 7.30.1). An unfinished character is
 * kept in the caller's mbstate_t: the top bit of __count says so, and __value, which glibc's converters do not use
 * between characters, has the code units. The converters keep their own state in the other bits of __count. */
#include <wchar.h>

#include "polyfill.h"

#define UNFINISHED 0x80000000u

CAPSULE_IMPORT(size_t, mbrtowc, (wchar_t *, const char *, size_t, mbstate_t *));
CAPSULE_IMPORT(size_t, wcrtomb, (char *, wchar_t, mbstate_t *));

static bool unfinished(const mbstate_t *state)
{
    return (unsigned)state->__count & UNFINISHED;
}

static void set_unfinished(mbstate_t *state, bool on)
{
    state->__count = (int)(((unsigned)state->__count & ~UNFINISHED) | (on ? UNFINISHED : 0));
    if (!on)
        state->__value.__wch = 0;
}

/* units[0..2]: the code units after the first, last one first; units[3]: the index of the next. */
CAPSULE_POLYFILL(size_t, mbrtoc8, (unsigned char *to, const char *from, size_t size, mbstate_t *state))
{
    static mbstate_t own;
    if (!state)
        state = &own;
    unsigned char *units = (unsigned char *)state->__value.__wchb;
    if (unfinished(state)) {
        if (to)
            *to = units[units[3]];
        if (units[3]-- == 0)
            set_unfinished(state, false);
        return (size_t)-3;
    }
    if (!from)
        to = NULL, from = "", size = 1;
    wchar_t wide = 0;
    size_t result = base_mbrtowc(&wide, from, size, state);
    if (result > size) /* -1 or -2 */
        return result;
    unsigned code = (unsigned)wide;
    unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    if (to)
        *to = (unsigned char)(lead[more] | code >> 6 * more);
    if (more) {
        for (unsigned i = 0; i < more; i++)
            units[i] = (unsigned char)(0x80 | (code >> 6 * i & 0x3f));
        units[3] = (unsigned char)(more - 1);
        set_unfinished(state, true);
    }
    /* Some encodings have one character for two wide ones; the second takes no input. */
    return result == 0 && code ? (size_t)-3 : result;
}

/* Unicode 15, table 3-7: the second code unit is restricted after these. */
static bool second_valid(unsigned lead, unsigned unit)
{
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return unit >= low && unit <= high;
}

/* units[0..2]: the code units so far; units[3]: how many. */
CAPSULE_POLYFILL(size_t, c8rtomb, (char *to, unsigned char unit, mbstate_t *state))
{
    static mbstate_t own;
    if (!state)
        state = &own;
    if (!to)
        unit = 0;
    unsigned char *units = (unsigned char *)state->__value.__wchb;
    if (!unfinished(state)) {
        if (unit < 0x80)
            return base_wcrtomb(to, unit, state);
        if (unit < 0xc2 || unit > 0xf4)
            return (size_t)set_errno(EILSEQ);
        set_unfinished(state, true);
        units[0] = unit;
        units[3] = 1;
        return 0;
    }
    unsigned have = units[3], need = units[0] < 0xe0 ? 2 : units[0] < 0xf0 ? 3 : 4;
    if (have == 1 ? !second_valid(units[0], unit) : (unit & 0xc0) != 0x80)
        return (size_t)set_errno(EILSEQ);
    if (have + 1 < need) {
        units[have] = unit;
        units[3]++;
        return 0;
    }
    unsigned code = units[0] & (0xffu >> (need + 1));
    for (unsigned i = 1; i < have; i++)
        code = code << 6 | (units[i] & 0x3f);
    code = code << 6 | (unit & 0x3f);
    set_unfinished(state, false);
    return base_wcrtomb(to, (wchar_t)code, state);
}
