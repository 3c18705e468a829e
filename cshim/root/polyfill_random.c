/* arc4random and its family (glibc 2.36): bytes straight from the kernel, no generator of their own (glibc
 * stdlib/arc4random.c). They cannot fail: without entropy the process ends. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>

#include "polyfill.h"

static _Noreturn void no_entropy(void)
{
    polyfill_fatal("capsule: error: no entropy for arc4random\n");
}

static long retried(long number, long a, long b, long c, long d, long e)
{
    long result;
    do
        result = sys_raw(number, a, b, c, d, e);
    while (result == -EINTR);
    return result;
}

static int open_device(const char *path)
{
    long fd = retried(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0, 0);
    if (fd < 0)
        no_entropy();
    return (int)fd;
}

/* Before Linux 3.17. /dev/urandom never blocks; that /dev/random can be read says that the pool was filled once. */
static void from_device(unsigned char *to, size_t size)
{
    static bool pool_filled;
    if (!__atomic_load_n(&pool_filled, __ATOMIC_RELAXED)) {
        struct pollfd wait = {.fd = open_device("/dev/random"), .events = POLLIN};
        if (retried(SYS_ppoll, (long)&wait, 1, 0, 0, 0) < 0)
            no_entropy();
        sys_raw(SYS_close, wait.fd);
        __atomic_store_n(&pool_filled, true, __ATOMIC_RELAXED);
    }
    int fd = open_device("/dev/urandom");
    while (size) {
        long n = retried(SYS_read, fd, (long)to, (long)size, 0, 0);
        if (n <= 0)
            no_entropy();
        to += n;
        size -= (size_t)n;
    }
    sys_raw(SYS_close, fd);
}

CAPSULE_POLYFILL(void, arc4random_buf, (void *buffer, size_t size))
{
    unsigned char *to = buffer;
    while (size) {
        long n = retried(SYS_getrandom, (long)to, (long)size, 0, 0, 0);
        if (n == -ENOSYS)
            return from_device(to, size);
        if (n <= 0)
            no_entropy();
        to += n;
        size -= (size_t)n;
    }
}

CAPSULE_POLYFILL(uint32_t, arc4random, (void))
{
    uint32_t value;
    polyfill_arc4random_buf(&value, sizeof value);
    return value;
}

/* Uniform below bound: values in the incomplete last interval of bound numbers are thrown away. */
CAPSULE_POLYFILL(uint32_t, arc4random_uniform, (uint32_t bound))
{
    if (bound < 2)
        return 0;
    uint32_t reject_below = -bound % bound; /* 2^32 mod bound */
    for (;;) {
        uint32_t value = polyfill_arc4random();
        if (value >= reject_below)
            return value % bound;
    }
}
