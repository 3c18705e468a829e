/* Clocks, timers and the calendar with 64-bit time. */
#include "time64.h"

#ifdef CAPSULE_TIME64
#include <sys/resource.h>
#include <sys/timerfd.h>

CAPSULE_IMPORT(int, clock_gettime, (clockid_t, struct timespec *));
CAPSULE_IMPORT(int, clock_getres, (clockid_t, struct timespec *));
CAPSULE_IMPORT(int, clock_settime, (clockid_t, const struct timespec *));

/* The runtime's function first: it need not enter the kernel. */
CAPSULE_POLYFILL(int, __clock_gettime64, (clockid_t clock, struct timespec64 *now))
{
    struct timespec t;
    if (!base_clock_gettime(clock, &t)) {
        *now = wide_timespec(t);
        return 0;
    }
    return *root_errno() == EOVERFLOW ? (int)sys_call(SYS_clock_gettime64, clock, now) : -1;
}

CAPSULE_POLYFILL(int, __clock_getres64, (clockid_t clock, struct timespec64 *step))
{
    struct timespec t;
    if (base_clock_getres(clock, &t))
        return -1;
    if (step)
        *step = wide_timespec(t);
    return 0;
}

CAPSULE_POLYFILL(int, __clock_settime64, (clockid_t clock, const struct timespec64 *to))
{
    struct timespec t;
    return narrow_timespec(&t, to) ? base_clock_settime(clock, &t) : -1;
}

CAPSULE_POLYFILL(int64_t, __time64, (int64_t *to))
{
    struct timespec64 now;
    int64_t result = polyfill___clock_gettime64(CLOCK_REALTIME_COARSE, &now) ? -1 : now.sec;
    if (to)
        *to = result;
    return result;
}

CAPSULE_POLYFILL(int, __gettimeofday64, (struct timeval64 *to, void *zone))
{
    struct timespec64 now;
    if (zone)
        *(struct timezone *)zone = (struct timezone){0, 0};
    if (polyfill___clock_gettime64(CLOCK_REALTIME, &now))
        return -1;
    *to = (struct timeval64){now.sec, now.nsec / 1000};
    return 0;
}

CAPSULE_IMPORT(int, settimeofday, (const struct timeval *, const struct timezone *));

CAPSULE_POLYFILL(int, __settimeofday64, (const struct timeval64 *to, const struct timezone *zone))
{
    struct timeval t;
    if (to && !narrow_timeval(&t, to))
        return -1;
    return base_settimeofday(to ? &t : NULL, zone);
}

/* C11 and C23, 7.29: the base, or 0. TIME_UTC is 1; the others that glibc knows are the clock's number and 1. */
static clockid_t clock_of_base(int from)
{
    return from >= 1 && from <= 4 ? (clockid_t)(from - 1) : -1;
}

CAPSULE_POLYFILL(int, __timespec_get64, (struct timespec64 *to, int from))
{
    return clock_of_base(from) >= 0 && !polyfill___clock_gettime64(clock_of_base(from), to) ? from : 0;
}

CAPSULE_POLYFILL(int, __timespec_getres64, (struct timespec64 *to, int from))
{
    return clock_of_base(from) >= 0 && !polyfill___clock_getres64(clock_of_base(from), to) ? from : 0;
}

/* Timers. */
static bool narrow_itimerspec(struct itimerspec *to, const struct itimerspec64 *from)
{
    return narrow_timespec(&to->it_interval, &from->interval) && narrow_timespec(&to->it_value, &from->value);
}

static struct itimerspec64 wide_itimerspec(const struct itimerspec *t)
{
    return (struct itimerspec64){wide_timespec(t->it_interval), wide_timespec(t->it_value)};
}

CAPSULE_IMPORT_LATE(LIBRT, int, timer_gettime, (timer_t, struct itimerspec *));
CAPSULE_IMPORT_LATE(LIBRT, int, timer_settime, (timer_t, int, const struct itimerspec *, struct itimerspec *));
CAPSULE_IMPORT(int, timerfd_gettime, (int, struct itimerspec *));
CAPSULE_IMPORT(int, timerfd_settime, (int, int, const struct itimerspec *, struct itimerspec *));

#define TIMER(type, prefix, getter, setter)                                                           \
    CAPSULE_POLYFILL(int, __##prefix##_gettime64, (type timer, struct itimerspec64 * to))             \
    {                                                                                                 \
        struct itimerspec t;                                                                          \
        int (*get)(type, struct itimerspec *) = getter;                                               \
        if (!get || get(timer, &t))                                                                   \
            return get ? -1 : set_errno(ENOSYS);                                                      \
        *to = wide_itimerspec(&t);                                                                    \
        return 0;                                                                                     \
    }                                                                                                 \
    CAPSULE_POLYFILL(int, __##prefix##_settime64,                                                     \
                     (type timer, int flags, const struct itimerspec64 *to, struct itimerspec64 *old)) \
    {                                                                                                 \
        struct itimerspec t, previous;                                                                \
        int (*set)(type, int, const struct itimerspec *, struct itimerspec *) = setter;               \
        if (!set || !narrow_itimerspec(&t, to) || set(timer, flags, &t, &previous))                   \
            return set ? -1 : set_errno(ENOSYS);                                                      \
        if (old)                                                                                      \
            *old = wide_itimerspec(&previous);                                                        \
        return 0;                                                                                     \
    }

TIMER(timer_t, timer, LATE(LIBRT, timer_gettime), LATE(LIBRT, timer_settime))
TIMER(int, timerfd, base_timerfd_gettime, base_timerfd_settime)

CAPSULE_IMPORT(int, getitimer, (int, struct itimerval *));
CAPSULE_IMPORT(int, setitimer, (int, const struct itimerval *, struct itimerval *));

static void wide_itimerval(struct itimerval64 *to, const struct itimerval *t)
{
    *to = (struct itimerval64){wide_timeval(t->it_interval), wide_timeval(t->it_value)};
}

CAPSULE_POLYFILL(int, __getitimer64, (int which, struct itimerval64 *to))
{
    struct itimerval t;
    if (base_getitimer(which, &t))
        return -1;
    wide_itimerval(to, &t);
    return 0;
}

CAPSULE_POLYFILL(int, __setitimer64, (int which, const struct itimerval64 *to, struct itimerval64 *old))
{
    struct itimerval t = {0}, previous;
    if (to && !(narrow_timeval(&t.it_interval, &to->interval) && narrow_timeval(&t.it_value, &to->value)))
        return -1;
    if (base_setitimer(which, &t, &previous))
        return -1;
    if (old)
        wide_itimerval(old, &previous);
    return 0;
}

/* The calendar: years that 32 bits do not reach are refused with EOVERFLOW, as the runtime's own functions do. */
CAPSULE_IMPORT(struct tm *, gmtime, (const time_t *));
CAPSULE_IMPORT(struct tm *, gmtime_r, (const time_t *, struct tm *));
CAPSULE_IMPORT(struct tm *, localtime, (const time_t *));
CAPSULE_IMPORT(struct tm *, localtime_r, (const time_t *, struct tm *));
CAPSULE_IMPORT(char *, ctime, (const time_t *));
CAPSULE_IMPORT(char *, ctime_r, (const time_t *, char *));
CAPSULE_IMPORT(time_t, mktime, (struct tm *));
CAPSULE_IMPORT(time_t, timegm, (struct tm *));

#define CALENDAR(type, name, parameters, ...)                              \
    CAPSULE_POLYFILL(type, name, parameters)                               \
    {                                                                      \
        time_t narrow = (time_t)*time;                                     \
        return seconds_fit(*time) ? __VA_ARGS__ : (set_errno(EOVERFLOW), NULL); \
    }

CALENDAR(struct tm *, __gmtime64, (const int64_t *time), base_gmtime(&narrow))
CALENDAR(struct tm *, __gmtime64_r, (const int64_t *time, struct tm *to), base_gmtime_r(&narrow, to))
CALENDAR(struct tm *, __localtime64, (const int64_t *time), base_localtime(&narrow))
CALENDAR(struct tm *, __localtime64_r, (const int64_t *time, struct tm *to), base_localtime_r(&narrow, to))
CALENDAR(char *, __ctime64, (const int64_t *time), base_ctime(&narrow))
CALENDAR(char *, __ctime64_r, (const int64_t *time, char *to), base_ctime_r(&narrow, to))

CAPSULE_POLYFILL(int64_t, __mktime64, (struct tm * date))
{
    return base_mktime(date);
}

CAPSULE_POLYFILL(int64_t, __timegm64, (struct tm * date))
{
    return base_timegm(date);
}

CAPSULE_POLYFILL(double, __difftime64, (int64_t later, int64_t earlier))
{
    return (double)(later - earlier);
}

/* What a process has used: two times, then 14 words that are the same. */
struct rusage64 {
    struct timeval64 user, system;
    long rest[14];
};

_Static_assert(sizeof(struct rusage) == 2 * sizeof(struct timeval) + 14 * sizeof(long), "rusage");

CAPSULE_IMPORT(int, getrusage, (int, struct rusage *));
CAPSULE_IMPORT(pid_t, wait4, (pid_t, int *, int, struct rusage *));

static void wide_rusage(struct rusage64 *to, const struct rusage *used)
{
    to->user = wide_timeval(used->ru_utime);
    to->system = wide_timeval(used->ru_stime);
    __builtin_memcpy(to->rest, &used->ru_maxrss, sizeof to->rest);
}

CAPSULE_POLYFILL(int, __getrusage64, (int who, struct rusage64 *to))
{
    struct rusage used;
    if (base_getrusage(who, &used))
        return -1;
    wide_rusage(to, &used);
    return 0;
}

CAPSULE_POLYFILL(pid_t, __wait4_time64, (pid_t pid, int *status, int options, struct rusage64 *to))
{
    struct rusage used = {0};
    pid_t result = base_wait4(pid, status, options, to ? &used : NULL);
    if (to && result > 0)
        wide_rusage(to, &used);
    return result;
}

CAPSULE_POLYFILL(pid_t, __wait3_time64, (int *status, int options, struct rusage64 *to))
{
    return polyfill___wait4_time64(-1, status, options, to);
}
#endif
