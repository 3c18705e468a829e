/* A library of the host with errors that only AddressSanitizer sees: each hands a polyfill of the capsule root (strlcpy
 * is glibc 2.38's) memory that it must not touch. */
#include <stdlib.h>
#include <string.h>

void asan_write(void);
void asan_read(void);
void asan_freed(void);

static size_t copy(const char *from)
{
    static char to[100];
    return strlcpy(to, from, sizeof to);
}

void asan_write(void)
{
    char *volatile block = malloc(8);
    strlcpy(block, "12345678", 9); /* the zero at its end is written by the polyfill itself, the rest by memcpy */
    free(block);
}

void asan_read(void)
{
    char *block = malloc(16);
    memset(block, 'x', 16); /* no end */
    copy(block);
    free(block);
}

void asan_freed(void)
{
    char *volatile block = strdup("gone");
    free(block);
    copy(block);
}
