/* CAPSULE_DEBUG=1 in the environment makes libcapsule tell on standard error what it does; otherwise it is silent,
 * but for one message where the game would crash anyway. */
#include "libcapsule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool capsule_debugging;

static char failure[512] = "libcapsule was never brought up";

void report_init(void)
{
    /* secure_getenv is newer (2.17) than the base version: looked up, and absent means no debugging at all. */
    char *(*get)(const char *) = (char *(*)(const char *))dlsym(RTLD_DEFAULT, "secure_getenv");
    const char *value = get ? get("CAPSULE_DEBUG") : NULL;
    capsule_debugging = value && *value && *value != '0';
}

static void print(const char *kind, const char *format, va_list args)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "capsule: %s", kind);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    if (m < 0)
        m = 0;
    n += m;
    if ((size_t)n > sizeof line - 2)
        n = (int)sizeof line - 2;
    line[n++] = '\n';
    /* One write: lines of several threads do not mix. Nothing can be done about a failing one. */
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return;
}

void debug(const char *format, ...)
{
    if (!capsule_debugging)
        return;
    va_list args;
    va_start(args, format);
    print("", format, args);
    va_end(args);
}

void failure_set(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
    debug("%s", failure);
}

void fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print("error: ", format, args);
    va_end(args);
    abort();
}

void failure_abort(void)
{
    fatal("the host's graphics driver is not available: %s", failure);
}
