/* strlcpy, strlcat and their wide and fortified variants (glibc 2.38). Sizes are in characters, with the
 * terminator. */
#include <string.h>
#include <wchar.h>

#include "polyfill.h"

CAPSULE_IMPORT(void *, memcpy, (void *, const void *, size_t));

#define STRL(prefix, character, length, length_max)                                                               \
    CAPSULE_IMPORT(size_t, length, (const character *));                                                          \
    CAPSULE_IMPORT(size_t, length_max, (const character *, size_t));                                              \
    CAPSULE_POLYFILL(size_t, prefix##lcpy, (character *restrict to, const character *restrict from, size_t size)) \
    {                                                                                                             \
        size_t n = base_##length(from);                                                                           \
        if (size) {                                                                                               \
            size_t fits = n < size ? n : size - 1;                                                                \
            base_memcpy(to, from, fits * sizeof(character));                                                      \
            to[fits] = 0;                                                                                         \
        }                                                                                                         \
        return n;                                                                                                 \
    }                                                                                                             \
    CAPSULE_POLYFILL(size_t, prefix##lcat, (character *restrict to, const character *restrict from, size_t size)) \
    {                                                                                                             \
        size_t have = base_##length_max(to, size);                                                                \
        return have + polyfill_##prefix##lcpy(to + have, from, size - have);                                      \
    }                                                                                                             \
    CAPSULE_POLYFILL(size_t, __##prefix##lcpy_chk,                                                                \
                     (character *restrict to, const character *restrict from, size_t size, size_t room))          \
    {                                                                                                             \
        if (size > room)                                                                                          \
            polyfill_chk_fail();                                                                                  \
        return polyfill_##prefix##lcpy(to, from, size);                                                           \
    }                                                                                                             \
    CAPSULE_POLYFILL(size_t, __##prefix##lcat_chk,                                                                \
                     (character *restrict to, const character *restrict from, size_t size, size_t room))          \
    {                                                                                                             \
        if (size > room)                                                                                          \
            polyfill_chk_fail();                                                                                  \
        return polyfill_##prefix##lcat(to, from, size);                                                           \
    }

STRL(str, char, strlen, strnlen)
STRL(wcs, wchar_t, wcslen, wcsnlen)
