/* Processes: _Fork and closefrom (glibc 2.34), pidfd_getpid (2.39). */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "polyfill.h"

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

CAPSULE_IMPORT(pid_t, fork, (void));

#define PID_UNCACHED_SINCE 25 /* before that, glibc keeps the process's number, and only its own fork renews it */

/* The child must find its own TID in its thread descriptor (owners of mutexes are compared with it). Where that is
 * only the kernel knows: it was told which word to clear at the thread's end (nptl/allocatestack.c). A kernel without
 * CONFIG_CHECKPOINT_RESTORE does not tell; then the runtime's fork has to do, atfork handlers and all. */
static int *tid_address(void)
{
    int *address = NULL;
    return sys_raw(SYS_prctl, PR_GET_TID_ADDRESS, &address) < 0 ? NULL : address;
}

CAPSULE_POLYFILL(pid_t, _Fork, (void))
{
    int *tid = tid_address();
    if (!tid || *tid != (int)sys_raw(SYS_gettid) || polyfill_glibc_before(PID_UNCACHED_SINCE))
        return base_fork();
    struct robust_list_head *held = NULL;
    size_t held_size = 0;
    sys_raw(SYS_get_robust_list, 0, &held, &held_size);
    uint64_t all = ~(uint64_t)0, previous;
    sys_raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &previous, KERNEL_SIGSET_SIZE);
    long child = arch_fork(SIGCHLD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, tid);
    if (child == 0 && held) {
        /* Robust mutexes stay the parent's; the kernel forgot the list. */
        held->list.next = &held->list;
        sys_raw(SYS_set_robust_list, held, held_size);
    }
    sys_raw(SYS_rt_sigprocmask, SIG_SETMASK, &previous, NULL, KERNEL_SIGSET_SIZE);
    return (pid_t)syscall_result(child);
}

static int number(const char *text)
{
    int n = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        n = 10 * n + (*text - '0');
    return n;
}

/* Before Linux 5.9. A descriptor that is closed may move the directory's position: start again after each batch. */
static bool close_listed(int first)
{
    long dir = sys_raw(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* No descriptor free: one of those to close makes room. */
    for (int fd = first; dir == -EMFILE && fd < INT_MAX; fd++)
        if (sys_raw(SYS_close, fd) != -EBADF)
            dir = sys_raw(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return false;
    char buffer[512] __attribute__((aligned(8)));
    long size;
    while ((size = sys_raw(SYS_getdents64, dir, buffer, sizeof buffer)) > 0) {
        bool closed = false;
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            at += entry->d_reclen;
            int fd = number(entry->d_name);
            if (entry->d_name[0] == '.' || fd < first || fd == dir)
                continue;
            sys_raw(SYS_close, fd); /* whatever it answers, the descriptor is gone */
            closed = true;
        }
        if (closed)
            sys_raw(SYS_lseek, dir, 0, SEEK_SET);
    }
    sys_raw(SYS_close, dir);
    return size == 0;
}

bool polyfill_close_from(int first)
{
    return sys_raw(SYS_close_range, first, ~0u, 0) == 0 || close_listed(first);
}

CAPSULE_POLYFILL(void, closefrom, (int first))
{
    if (!polyfill_close_from(first < 0 ? 0 : first))
        polyfill_fatal("capsule: error: closefrom failed to close a file descriptor\n");
}

/* "Pid:" of /proc/self/fdinfo/FD (proc(5)): 0 for a process of a PID namespace that cannot be seen from here, -1 for
 * one that has ended. */
static bool read_pid(const char *path, int *pid)
{
    long fd = sys_raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char text[512]; /* five short lines */
    long size = 0, n;
    while (size < (long)sizeof text - 1 &&
           ((n = sys_raw(SYS_read, fd, text + size, sizeof text - 1 - (size_t)size)) > 0 || n == -EINTR))
        size += n > 0 ? n : 0;
    sys_raw(SYS_close, fd);
    text[size] = '\0';
    for (const char *line = text; *line;) {
        if (line[0] == 'P' && line[1] == 'i' && line[2] == 'd' && line[3] == ':') {
            for (line += 4; *line == ' ' || *line == '\t';)
                line++;
            *pid = *line == '-' ? -number(line + 1) : number(line);
            return true;
        }
        while (*line && *line++ != '\n')
            ;
    }
    return false;
}

CAPSULE_POLYFILL(pid_t, pidfd_getpid, (int pidfd))
{
    char path[sizeof "/proc/self/fdinfo/2147483647"];
    memcpy(path, "/proc/self/fdinfo/", sizeof "/proc/self/fdinfo/");
    size_t at = strlen(path), digits = 1;
    for (int n = pidfd; n >= 10; n /= 10)
        digits++;
    path[at + digits] = '\0';
    for (int n = pidfd; digits--; n /= 10)
        path[at + digits] = (char)('0' + n % 10);
    int pid = 0;
    if (pidfd < 0 || !read_pid(path, &pid))
        return set_errno(EBADF);
    if (pid == 0)
        return set_errno(EREMOTE);
    return pid < 0 ? set_errno(ESRCH) : pid;
}
