/* System calls that got a function in glibc 2.29 to 2.43. A kernel without the call answers ENOSYS, as with glibc:
 * none of these has an emulation there either. Numbers from 424 on are the same on every architecture. */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "polyfill.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#define SYS_fspick 433
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

struct mount_attr;
struct open_how;
struct sched_attr;

/* 2.29, 2.30 */

CAPSULE_POLYFILL(int, getcpu, (unsigned *cpu, unsigned *node))
{
    return (int)sys_call(SYS_getcpu, cpu, node, NULL);
}

CAPSULE_POLYFILL(ssize_t, getdents64, (int fd, void *buffer, size_t size))
{
    return sys_call(SYS_getdents64, fd, buffer, size > INT_MAX ? INT_MAX : size);
}

/* 2.34 */

CAPSULE_POLYFILL(int, close_range, (unsigned first, unsigned last, int flags))
{
    return (int)sys_call(SYS_close_range, first, last, flags);
}

CAPSULE_POLYFILL(int, execveat,
                 (int dir, const char *path, char *const arguments[], char *const environment[], int flags))
{
    return (int)sys_call(SYS_execveat, dir, path, arguments, environment, flags);
}

CAPSULE_IMPORT(int, clock_getres, (clockid_t, struct timespec *));

/* Time bases are clocks plus one: TIME_UTC since 2.34, the other three since 2.43. */
CAPSULE_POLYFILL(int, timespec_getres, (struct timespec * resolution, int time_base))
{
    if (time_base < 1 || time_base > CLOCK_THREAD_CPUTIME_ID + 1)
        return 0;
    return base_clock_getres(time_base - 1, resolution) ? 0 : time_base;
}

/* 2.35 */

CAPSULE_POLYFILL(int, epoll_pwait2,
                 (int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                  const sigset_t *mask))
{
    int previous = 0;
    struct {
        int64_t seconds, nanoseconds; /* the kernel's, also where time_t has 32 bits */
    } wide = {0};
    if (timeout) {
        wide.seconds = timeout->tv_sec;
        wide.nanoseconds = timeout->tv_nsec;
    }
    polyfill_cancellable(&previous);
    long result =
        sys_raw(SYS_epoll_pwait2, epoll, events, count, timeout ? &wide : NULL, mask, KERNEL_SIGSET_SIZE);
    polyfill_uncancellable(previous);
    return (int)syscall_result(result);
}

/* 2.36 */

CAPSULE_POLYFILL(int, fsopen, (const char *type, unsigned flags))
{
    return (int)sys_call(SYS_fsopen, type, flags);
}

CAPSULE_POLYFILL(int, fsconfig, (int fd, unsigned command, const char *key, const void *value, int auxiliary))
{
    return (int)sys_call(SYS_fsconfig, fd, command, key, value, auxiliary);
}

CAPSULE_POLYFILL(int, fsmount, (int fd, unsigned flags, unsigned attributes))
{
    return (int)sys_call(SYS_fsmount, fd, flags, attributes);
}

CAPSULE_POLYFILL(int, fspick, (int dir, const char *path, unsigned flags))
{
    return (int)sys_call(SYS_fspick, dir, path, flags);
}

CAPSULE_POLYFILL(int, move_mount, (int from_dir, const char *from, int to_dir, const char *to, unsigned flags))
{
    return (int)sys_call(SYS_move_mount, from_dir, from, to_dir, to, flags);
}

CAPSULE_POLYFILL(int, open_tree, (int dir, const char *path, unsigned flags))
{
    return (int)sys_call(SYS_open_tree, dir, path, flags);
}

CAPSULE_POLYFILL(int, mount_setattr,
                 (int dir, const char *path, unsigned flags, struct mount_attr *attributes, size_t size))
{
    return (int)sys_call(SYS_mount_setattr, dir, path, flags, attributes, size);
}

CAPSULE_POLYFILL(int, pidfd_open, (pid_t process, unsigned flags))
{
    return (int)sys_call(SYS_pidfd_open, process, flags);
}

CAPSULE_POLYFILL(int, pidfd_getfd, (int pidfd, int fd, unsigned flags))
{
    return (int)sys_call(SYS_pidfd_getfd, pidfd, fd, flags);
}

CAPSULE_POLYFILL(int, pidfd_send_signal, (int pidfd, int signal, siginfo_t *info, unsigned flags))
{
    return (int)sys_call(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}

CAPSULE_POLYFILL(ssize_t, process_madvise,
                 (int pidfd, const struct iovec *ranges, size_t count, int advice, unsigned flags))
{
    return sys_call(SYS_process_madvise, pidfd, ranges, count, advice, flags);
}

CAPSULE_POLYFILL(int, process_mrelease, (int pidfd, unsigned flags))
{
    return (int)sys_call(SYS_process_mrelease, pidfd, flags);
}

/* 2.41, 2.43 */

CAPSULE_POLYFILL(int, sched_setattr, (pid_t thread, struct sched_attr *attributes, unsigned flags))
{
    return (int)sys_call(SYS_sched_setattr, thread, attributes, flags);
}

CAPSULE_POLYFILL(int, sched_getattr, (pid_t thread, struct sched_attr *attributes, unsigned size, unsigned flags))
{
    return (int)sys_call(SYS_sched_getattr, thread, attributes, size, flags);
}

CAPSULE_POLYFILL(int, openat2, (int dir, const char *path, const struct open_how *how, size_t size))
{
    int previous = 0;
    polyfill_cancellable(&previous);
    long result = sys_raw(SYS_openat2, dir, path, how, size);
    polyfill_uncancellable(previous);
    return (int)syscall_result(result);
}
