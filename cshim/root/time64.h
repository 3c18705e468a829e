/* 64-bit time on ports whose time_t has 32 bits. Since glibc 2.34 a program built with -D_TIME_BITS=64 calls functions
 * of their own names there (__clock_gettime64, __stat64_time64; sysdeps/unix/sysv/linux/…), with the structures
 * below. An older runtime has none of them: its functions for 32-bit time do the work, and only what neither they
 * nor the structures can hold (a file's time after 2038) goes to the kernel directly (Linux 5.1).
 *
 *   time64_clock.c     clocks, timers, the calendar
 *   time64_files.c     stat and its family, utimes and its family
 *   time64_wait.c      what waits until a time
 *   time64_threads.c   likewise, of <pthread.h>, <semaphore.h> and <threads.h>
 *   time64_same.c      what differs in its name only
 */
#ifndef CAPSULE_TIME64_H
#define CAPSULE_TIME64_H

#if __SIZEOF_LONG__ == 4
#define CAPSULE_TIME64

#include <sys/time.h>
#include <time.h>

#include "polyfill.h"

#define LIBRT "librt.so.1"

/* struct timespec, the kernel's __kernel_timespec: of the second word of nsec the kernel takes no notice here. */
struct timespec64 {
    int64_t sec;
    int32_t nsec, padding;
};

struct timeval64 {
    int64_t sec, usec;
};

struct itimerspec64 {
    struct timespec64 interval, value;
};

struct itimerval64 {
    struct timeval64 interval, value;
};

static inline bool seconds_fit(int64_t seconds)
{
    return seconds == (time_t)seconds;
}

static inline struct timespec64 wide_timespec(struct timespec t)
{
    return (struct timespec64){t.tv_sec, (int32_t)t.tv_nsec, 0};
}

static inline struct timeval64 wide_timeval(struct timeval t)
{
    return (struct timeval64){t.tv_sec, t.tv_usec};
}

/* A time that must be exact. False, and errno: it cannot be said in 32 bits. */
static inline bool narrow_timespec(struct timespec *to, const struct timespec64 *from)
{
    *to = (struct timespec){(time_t)from->sec, from->nsec};
    return seconds_fit(from->sec) || (set_errno(EOVERFLOW), false);
}

static inline bool narrow_timeval(struct timeval *to, const struct timeval64 *from)
{
    *to = (struct timeval){(time_t)from->sec, (suseconds_t)from->usec};
    return seconds_fit(from->sec) || (set_errno(EOVERFLOW), false);
}

/* The end of a wait: the last second of 32 bits is as good as any later one, the first as any earlier. NULL stays NULL:
 * no end. */
static inline struct timespec *narrow_end(struct timespec *to, const struct timespec64 *from)
{
    if (!from)
        return NULL;
    time_t bound = from->sec < 0 ? INT32_MIN : INT32_MAX;
    *to = (struct timespec){seconds_fit(from->sec) ? (time_t)from->sec : bound, from->nsec};
    return to;
}

/* Linux 5.1 and a container that lets the new system calls through: else the old function is asked. */
static inline bool kernel_lacks(long result)
{
    return result == -ENOSYS || result == -EPERM;
}

#endif
#endif
