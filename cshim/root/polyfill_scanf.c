/* __isoc23_scanf and its family (glibc 2.38): the runtime's __isoc99_ functions (2.7). One difference remains: %i
 * does not accept a binary number with the prefix 0b. */
#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

#include "polyfill.h"

/* Each pair, NAME and vNAME: without a source (scanf), with a stream or a text. */
#define SCANF(name, character)                                                             \
    CAPSULE_IMPORT(int, __isoc99_v##name, (const character *, va_list));                   \
    CAPSULE_POLYFILL(int, __isoc23_v##name, (const character *format, va_list arguments))  \
    {                                                                                      \
        return base___isoc99_v##name(format, arguments);                                   \
    }                                                                                      \
    CAPSULE_POLYFILL(int, __isoc23_##name, (const character *format, ...))                 \
    {                                                                                      \
        va_list arguments;                                                                 \
        va_start(arguments, format);                                                       \
        int result = base___isoc99_v##name(format, arguments);                             \
        va_end(arguments);                                                                 \
        return result;                                                                     \
    }
#define SCANF_FROM(name, source, character)                                                               \
    CAPSULE_IMPORT(int, __isoc99_v##name, (source, const character *, va_list));                          \
    CAPSULE_POLYFILL(int, __isoc23_v##name, (source from, const character *format, va_list arguments))    \
    {                                                                                                     \
        return base___isoc99_v##name(from, format, arguments);                                            \
    }                                                                                                     \
    CAPSULE_POLYFILL(int, __isoc23_##name, (source from, const character *format, ...))                   \
    {                                                                                                     \
        va_list arguments;                                                                                \
        va_start(arguments, format);                                                                      \
        int result = base___isoc99_v##name(from, format, arguments);                                      \
        va_end(arguments);                                                                                \
        return result;                                                                                    \
    }

SCANF(scanf, char)
SCANF_FROM(fscanf, FILE *, char)
SCANF_FROM(sscanf, const char *, char)
SCANF(wscanf, wchar_t)
SCANF_FROM(fwscanf, FILE *, wchar_t)
SCANF_FROM(swscanf, const wchar_t *, wchar_t)
