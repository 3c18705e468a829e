/* What waits until a time, with 64-bit time. The runtime's functions are called, which are cancellation points. */
#include "time64.h"

#ifdef CAPSULE_TIME64
#include <aio.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>

CAPSULE_IMPORT(int, nanosleep, (const struct timespec *, struct timespec *));
CAPSULE_IMPORT(int, clock_nanosleep, (clockid_t, int, const struct timespec *, struct timespec *));

CAPSULE_POLYFILL(int, __nanosleep64, (const struct timespec64 *time, struct timespec64 *left))
{
    struct timespec t, rest;
    int result = base_nanosleep(narrow_end(&t, time), &rest);
    if (result && left && *root_errno() == EINTR)
        *left = wide_timespec(rest);
    return result;
}

/* Returns the error's number. */
CAPSULE_POLYFILL(int, __clock_nanosleep_time64,
                 (clockid_t clock, int flags, const struct timespec64 *time, struct timespec64 *left))
{
    struct timespec t, rest;
    int error = base_clock_nanosleep(clock, flags, narrow_end(&t, time), &rest);
    if (error == EINTR && left && !(flags & TIMER_ABSTIME))
        *left = wide_timespec(rest);
    return error;
}

CAPSULE_IMPORT(int, select, (int, fd_set *, fd_set *, fd_set *, struct timeval *));
CAPSULE_IMPORT(int, pselect, (int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *));
CAPSULE_IMPORT(int, ppoll, (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *));

/* Linux tells in the timeout what is left of it. */
CAPSULE_POLYFILL(int, __select64, (int count, fd_set *read, fd_set *write, fd_set *except, struct timeval64 *time))
{
    struct timeval t;
    if (!time)
        return base_select(count, read, write, except, NULL);
    t = (struct timeval){seconds_fit(time->sec) ? (time_t)time->sec : INT32_MAX, (suseconds_t)time->usec};
    if (time->sec < 0)
        t.tv_sec = -1;
    int result = base_select(count, read, write, except, &t);
    *time = wide_timeval(t);
    return result;
}

CAPSULE_POLYFILL(int, __pselect64,
                 (int count, fd_set *read, fd_set *write, fd_set *except, const struct timespec64 *time,
                  const sigset_t *mask))
{
    struct timespec t;
    return base_pselect(count, read, write, except, narrow_end(&t, time), mask);
}

CAPSULE_POLYFILL(int, __ppoll64,
                 (struct pollfd * fds, nfds_t count, const struct timespec64 *time, const sigset_t *mask))
{
    struct timespec t;
    return base_ppoll(fds, count, narrow_end(&t, time), mask);
}

CAPSULE_POLYFILL(int, __ppoll64_chk,
                 (struct pollfd * fds, nfds_t count, const struct timespec64 *time, const sigset_t *mask, size_t size))
{
    if (size / sizeof *fds < count)
        polyfill_chk_fail();
    return polyfill___ppoll64(fds, count, time, mask);
}

CAPSULE_IMPORT(int, epoll_pwait, (int, struct epoll_event *, int, int, const sigset_t *));

/* Rounded up to milliseconds, as the old function has them: not less than was asked for. */
CAPSULE_POLYFILL(int, __epoll_pwait2_time64,
                 (int fd, struct epoll_event *events, int count, const struct timespec64 *time, const sigset_t *mask))
{
    int ms = -1;
    if (time && (time->sec < 0 || time->nsec < 0 || time->nsec >= 1000000000))
        return set_errno(EINVAL);
    if (time)
        ms = time->sec >= INT32_MAX / 1000 ? INT32_MAX : (int)time->sec * 1000 + (time->nsec + 999999) / 1000000;
    return base_epoll_pwait(fd, events, count, ms, mask);
}

CAPSULE_IMPORT(int, sigtimedwait, (const sigset_t *, siginfo_t *, const struct timespec *));
CAPSULE_IMPORT(int, semtimedop, (int, struct sembuf *, size_t, const struct timespec *));
CAPSULE_IMPORT(int, recvmmsg, (int, struct mmsghdr *, unsigned, int, struct timespec *));
CAPSULE_IMPORT(int, sched_rr_get_interval, (pid_t, struct timespec *));

CAPSULE_POLYFILL(int, __sigtimedwait64, (const sigset_t *set, siginfo_t *info, const struct timespec64 *time))
{
    struct timespec t;
    return base_sigtimedwait(set, info, narrow_end(&t, time));
}

CAPSULE_POLYFILL(int, __semtimedop64, (int id, struct sembuf *operations, size_t count, const struct timespec64 *time))
{
    struct timespec t;
    return base_semtimedop(id, operations, count, narrow_end(&t, time));
}

CAPSULE_POLYFILL(int, __recvmmsg64,
                 (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec64 *time))
{
    struct timespec t;
    int result = base_recvmmsg(fd, messages, count, flags, narrow_end(&t, time));
    if (time && result >= 0)
        *time = wide_timespec(t);
    return result;
}

CAPSULE_POLYFILL(int, __sched_rr_get_interval64, (pid_t pid, struct timespec64 *to))
{
    struct timespec t;
    if (base_sched_rr_get_interval(pid, &t))
        return -1;
    *to = wide_timespec(t);
    return 0;
}

/* In libraries of their own before glibc 2.34. */
CAPSULE_IMPORT_LATE(LIBRT, int, aio_suspend, (const struct aiocb *const[], int, const struct timespec *));
CAPSULE_IMPORT_LATE("libanl.so.1", int, gai_suspend, (const struct gaicb *const[], int, const struct timespec *));
CAPSULE_IMPORT_LATE(LIBRT, int, mq_timedsend, (int, const char *, size_t, unsigned, const struct timespec *));
CAPSULE_IMPORT_LATE(LIBRT, ssize_t, mq_timedreceive, (int, char *, size_t, unsigned *, const struct timespec *));

CAPSULE_POLYFILL(int, __aio_suspend_time64, (const struct aiocb *const list[], int count, const struct timespec64 *time))
{
    struct timespec t;
    typeof(base_aio_suspend) suspend = LATE(LIBRT, aio_suspend);
    return suspend ? suspend(list, count, narrow_end(&t, time)) : set_errno(ENOSYS);
}

CAPSULE_POLYFILL(int, __gai_suspend_time64, (const struct gaicb *const list[], int count, const struct timespec64 *time))
{
    struct timespec t;
    typeof(base_gai_suspend) suspend = LATE("libanl.so.1", gai_suspend);
    return suspend ? suspend(list, count, narrow_end(&t, time)) : EAI_SYSTEM;
}

CAPSULE_POLYFILL(int, __mq_timedsend_time64,
                 (int queue, const char *message, size_t size, unsigned priority, const struct timespec64 *end))
{
    struct timespec t;
    typeof(base_mq_timedsend) send = LATE(LIBRT, mq_timedsend);
    return send ? send(queue, message, size, priority, narrow_end(&t, end)) : set_errno(ENOSYS);
}

CAPSULE_POLYFILL(ssize_t, __mq_timedreceive_time64,
                 (int queue, char *message, size_t size, unsigned *priority, const struct timespec64 *end))
{
    struct timespec t;
    typeof(base_mq_timedreceive) receive = LATE(LIBRT, mq_timedreceive);
    return receive ? receive(queue, message, size, priority, narrow_end(&t, end)) : set_errno(ENOSYS);
}
#endif
