/* What tells quickly that an absolute path is not mapped, as most are: no rule begins as it does, none of its names is "." or
 * "..", and none has the ".so" of a library. False: it may be mapped, and paths.c looks.
 *
 * It calls nothing, because right after a system call a processor that guards itself predicts no indirect call; nor does it
 * predict then how long a name is. So where there are vector registers (x86-64) it looks at bytes by sixteen, which takes 20 ns
 * off each stat. Memory beyond the text's end is read, in aligned pieces, which never reach into a page that the text does
 * not; nothing is decided by it, which valgrind checks. */
#ifndef CAPSULE_UNMAPPED_H
#define CAPSULE_UNMAPPED_H

#include "root.h"

/* "." or ".." as a whole name, which begins at dot. */
static inline bool is_step(const char *dot)
{
    dot += dot[1] == '.';
    return !dot[1] || dot[1] == '/';
}

/* The bit of the next name, whose end path is moved to. */
static inline uint64_t next_bit(const char **path)
{
    const char *from = *path;
    while (*from == '/')
        from++;
    const char *end = from;
    while (*end && *end != '/')
        end++;
    *path = end;
    return end == from ? 0 : (uint64_t)1 << capsule_name_bit(from, (size_t)(end - from));
}

typedef uintptr_t __attribute__((may_alias)) word_t;
#define EACH_BYTE(value) ((uintptr_t)-1 / 0xff * (value))

/* Not 0 if a byte of the word is 0. */
static inline uintptr_t has_zero(uintptr_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* The first dot, or the end of the text: by aligned words, which never reach into a page that the text does not. */
__attribute__((no_sanitize("address"))) static inline const char *find_dot(const char *text)
{
    for (; (uintptr_t)text % sizeof(word_t); text++)
        if (!*text || *text == '.')
            return text;
    while (!has_zero(*(const word_t *)text) && !has_zero(*(const word_t *)text ^ EACH_BYTE('.')))
        text += sizeof(word_t);
    while (*text && *text != '.')
        text++;
    return text;
}

static inline bool unmapped_by_names(const char *path)
{
    const char *at = path;
    uint64_t bit;
    for (const struct capsule_path_level *level = base()->paths.levels; (bit = next_bit(&at)) & level->any; level++)
        if (bit & level->last)
            return false;
    for (const char *dot = path; *(dot = find_dot(dot)); dot++)
        if ((dot[-1] == '/' && is_step(dot)) || (dot[1] == 's' && dot[2] == 'o'))
            return false;
    return true;
}

#ifdef __SSE2__
#include <emmintrin.h>

static inline uint64_t places_of(char byte, __m128i bytes)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
}

/* Bit n of a place is the byte n after from, which is aligned. */
__attribute__((no_sanitize("address"))) static inline bool surely_unmapped(const char *path)
{
    unsigned begin = (uintptr_t)path % sizeof(__m128i);
    const char *from = path - begin;
    uint64_t text = ~(uint64_t)0 << begin, slashes = 0, dots = 0, zeros = 0;
    for (unsigned i = 0; !zeros; i += sizeof(__m128i)) {
        if (i == 64)
            return unmapped_by_names(path);
        __m128i bytes = _mm_load_si128((const __m128i *)(const void *)(from + i));
        slashes |= places_of('/', bytes) << i;
        dots |= places_of('.', bytes) << i;
        zeros |= places_of(0, bytes) << i & text;
    }
    unsigned end = (unsigned)__builtin_ctzll(zeros);
    slashes = (slashes & text) << (63 - end) >> (63 - end);
    dots = (dots & text) << (63 - end) >> (63 - end);
    if (slashes & slashes << 1)
        return unmapped_by_names(path);
    for (; dots; dots &= dots - 1) {
        const char *dot = from + __builtin_ctzll(dots);
        if ((dot[-1] == '/' && is_step(dot)) || (dot[1] == 's' && dot[2] == 'o'))
            return false;
    }
    const struct capsule_path_level *level = base()->paths.levels;
    slashes |= (uint64_t)1 << end;
    for (unsigned at = begin + 1, next; at <= end; at = next + 1, level++) {
        slashes &= slashes - 1;
        next = (unsigned)__builtin_ctzll(slashes);
        if (next == at) /* the path ends with a slash */
            return true;
        uint64_t bit = (uint64_t)1 << capsule_name_bit(from + at, next - at);
        if (!(bit & level->any))
            return true;
        if (bit & level->last)
            return false;
    }
    return true;
}
#else
static inline bool surely_unmapped(const char *path)
{
    return unmapped_by_names(path);
}
#endif

#endif
