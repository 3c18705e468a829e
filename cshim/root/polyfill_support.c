/* The functions behind polyfill.h. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "polyfill.h"

CAPSULE_IMPORT(int, pthread_setcanceltype, (int, int *));
CAPSULE_IMPORT(void, abort, (void));
CAPSULE_IMPORT(void, __chk_fail, (void));
CAPSULE_IMPORT(const char *, gnu_get_libc_version, (void));

extern void *(*base_dlsym)(void *, const char *) __attribute__((visibility("hidden"))); /* dl.c */

void polyfill_cancellable(int *previous_type)
{
    base_pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, previous_type);
}

void polyfill_uncancellable(int previous_type)
{
    base_pthread_setcanceltype(previous_type, NULL);
}

void *polyfill_late(void *const *slot, const char *library, const char *name)
{
    void *function = __atomic_load_n(slot, __ATOMIC_RELAXED);
    if (function)
        return function;
    /* The library's proxy: opening it loads the runtime's library into the base namespace. Where
     * the plan has none, libc's proxy may have the function. */
    void *proxy = base()->open(library, RTLD_LAZY, NULL);
    function = proxy ? base_dlsym(proxy, name) : NULL;
    return function ? function : base()->lookup_global(name, NULL);
}

bool polyfill_glibc_before(int minor)
{
    int has = 0;
    for (const char *digit = base_gnu_get_libc_version() + 2; *digit >= '0' && *digit <= '9'; digit++) /* "2.31" */
        has = 10 * has + (*digit - '0');
    return has < minor;
}

void polyfill_chk_fail(void)
{
    base___chk_fail();
    __builtin_trap();
}

void polyfill_fatal(const char *message)
{
    sys_raw(SYS_write, STDERR_FILENO, message, strlen(message));
    base_abort();
    __builtin_trap();
}
