/* Makes a process as posix_spawn does: a child that shares this process's memory, on a stack of its own, while the
 * calling thread waits (CLONE_VM | CLONE_VFORK), prepares itself and executes the program.
 *
 * What is legal in the child: system calls and its own stack. It has the caller's thread descriptor, so nothing of
 * the runtime may be called, and all signals are blocked until no handler is left. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "polyfill_spawn.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef POSIX_SPAWN_SETSID
#define POSIX_SPAWN_SETSID 0x80
#endif
#define SPAWN_SETCGROUP 0x100 /* POSIX_SPAWN_SETCGROUP, glibc 2.39 */
#define WAIT_PIDFD 3          /* P_PIDFD, Linux 5.4 */
#ifdef SYS_setresuid32
#define SET_IDS SYS_setresuid32
#define SET_GROUPS SYS_setresgid32
#define GET_UID SYS_getuid32
#define GET_GID SYS_getgid32
#else
#define SET_IDS SYS_setresuid
#define SET_GROUPS SYS_setresgid
#define GET_UID SYS_getuid
#define GET_GID SYS_getgid
#endif

#define SIGNAL_COUNT 64
#define FAILED 127 /* exit status of a child that never became the program (POSIX posix_spawn) */
#define STACK_SIZE (64 * 1024)
#define NAME_SIZE (PATH_MAX + 1 + NAME_MAX) /* a directory and its 0, which becomes a slash, a file and its 0 */
#define RED_ZONE 64
_Static_assert(NAME_SIZE + RED_ZONE < STACK_SIZE / 2, "the rest is the child's stack");
#define DEFAULT_PATH "/bin:/usr/bin" /* confstr(_CS_PATH) of glibc */

CAPSULE_IMPORT(void *, mmap, (void *, size_t, int, int, int, off_t));
CAPSULE_IMPORT(int, munmap, (void *, size_t));
CAPSULE_IMPORT(char *, getenv, (const char *));
CAPSULE_IMPORT(int, pthread_setcancelstate, (int, int *));

/* struct sigaction as the kernel has it on x86 and arm64. */
struct kernel_sigaction {
    uintptr_t handler;
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
};

struct child {
    const struct spawn *request;
    const char *path; /* PATH */
    char *name;       /* NAME_SIZE bytes, in which it is searched: the stack's lowest */
    short flags;      /* of the attributes, or 0 */
    uint64_t previous_mask;
    volatile int error; /* set by the child when it fails */
};

/* No handler may stay: it would run in this memory. Signals 32 and 33 are glibc's own; ignored, as glibc does it. */
static void reset_signals(const struct child *child)
{
    uint64_t wanted = 0;
    if (child->flags & POSIX_SPAWN_SETSIGDEF)
        memcpy(&wanted, &child->request->attributes->__sd, sizeof wanted);
    for (int signal = 1; signal <= SIGNAL_COUNT; signal++) {
        struct kernel_sigaction action = {0};
        if (!(wanted >> (signal - 1) & 1)) {
            sys_raw(SYS_rt_sigaction, signal, NULL, &action, KERNEL_SIGSET_SIZE);
            if (action.handler == (uintptr_t)SIG_DFL || action.handler == (uintptr_t)SIG_IGN)
                continue;
            action = (struct kernel_sigaction){.handler = (uintptr_t)(signal == 32 || signal == 33 ? SIG_IGN : SIG_DFL)};
        }
        sys_raw(SYS_rt_sigaction, signal, &action, NULL, KERNEL_SIGSET_SIZE);
    }
}

/* 0 or -errno, like everything in the child. */
static long apply_attributes(const struct child *child)
{
    const posix_spawnattr_t *attributes = child->request->attributes;
    long error = 0;
    if (child->flags & POSIX_SPAWN_SETSCHEDULER)
        error = sys_raw(SYS_sched_setscheduler, 0, attributes->__policy, &attributes->__sp);
    else if (child->flags & POSIX_SPAWN_SETSCHEDPARAM)
        error = sys_raw(SYS_sched_setparam, 0, &attributes->__sp);
    if (error >= 0 && child->flags & POSIX_SPAWN_SETSID)
        error = sys_raw(SYS_setsid);
    if (error >= 0 && child->flags & POSIX_SPAWN_SETPGROUP)
        error = sys_raw(SYS_setpgid, 0, attributes->__pgrp);
    if (error >= 0 && child->flags & POSIX_SPAWN_RESETIDS) {
        error = sys_raw(SET_IDS, -1, sys_raw(GET_UID), -1);
        if (error >= 0)
            error = sys_raw(SET_GROUPS, -1, sys_raw(GET_GID), -1);
    }
    return error < 0 ? error : 0;
}

/* A descriptor that is not open is no error, one that can never be is. */
static long close_one(int fd)
{
    long error = sys_raw(SYS_close, fd);
    struct {
        uint64_t now, max;
    } limit = {0};
    if (error == 0)
        return 0;
    sys_raw(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    return fd < 0 || (uint64_t)fd >= limit.now ? error : 0;
}

/* Onto itself: only close-on-exec goes away (POSIX, Austin Group issue 411). */
static long duplicate(int from, int to)
{
    if (from != to)
        return sys_raw(SYS_dup3, from, to, 0);
    long flags = sys_raw(SYS_fcntl, from, F_GETFD);
    return flags < 0 ? flags : sys_raw(SYS_fcntl, from, F_SETFD, flags & ~FD_CLOEXEC);
}

/* The wanted descriptor is closed first, so that a full table still has room. */
static long open_at(int fd, const char *path, int flags, mode_t mode)
{
    sys_raw(SYS_close, fd);
    long opened = sys_raw(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
    if (opened < 0 || opened == fd)
        return opened;
    long error = sys_raw(SYS_dup3, opened, fd, 0);
    if (error >= 0)
        error = sys_raw(SYS_close, opened);
    return error;
}

static long apply_action(const struct child *child, const struct __spawn_action *action)
{
    switch (action->kind) {
    case SPAWN_CLOSE:
        return close_one(action->fd);
    case SPAWN_DUP2:
        return duplicate(action->dup2.from, action->dup2.to);
    case SPAWN_OPEN:
        return open_at(action->open.fd, action->open.path, action->open.flags, action->open.mode);
    case SPAWN_CHDIR:
        return sys_raw(SYS_chdir, action->path);
    case SPAWN_FCHDIR:
        return sys_raw(SYS_fchdir, action->fd);
    case SPAWN_CLOSEFROM:
        return polyfill_close_from(action->fd) ? 0 : -EBADF;
    case SPAWN_TCSETPGRP: {
        pid_t group = (pid_t)sys_raw(SYS_getpgid, 0);
        return sys_raw(SYS_ioctl, action->fd, TIOCSPGRP, &group);
    }
    }
    return -EINVAL;
}

static long execute(const struct child *child, const char *file)
{
    return sys_raw(SYS_execve, file, child->request->arguments, child->request->environment);
}

/* execvpe's search, without its shell for files that are no programs (posix/execvpe.c, __execvpex). */
static long execute_searched(const struct child *child)
{
    const char *file = child->request->file;
    size_t length = strlen(file);
    char *name = child->name;
    bool denied = false;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    long error = -ENOENT;
    const char *dir = child->path, *end;
    do { /* an empty element, and be it the only one, is the working directory */
        for (end = dir; *end && *end != ':';)
            end++;
        size_t n = (size_t)(end - dir);
        if (n >= PATH_MAX)
            continue;
        memcpy(name, dir, n);
        name[n] = '/';
        memcpy(name + n + (n > 0), file, length + 1);
        error = execute(child, name);
        denied |= error == -EACCES;
        if (error != -EACCES && error != -ENOENT && error != -ESTALE && error != -ENOTDIR && error != -ENODEV &&
            error != -ETIMEDOUT)
            return error; /* there was such a program */
    } while (dir = end + 1, *end);
    return denied ? -EACCES : error;
}

static bool has_slash(const char *file)
{
    while (*file && *file != '/')
        file++;
    return *file;
}

static _Noreturn void become_program(void *data)
{
    struct child *child = data;
    const struct spawn *request = child->request;
    reset_signals(child);
    long error = apply_attributes(child);
    for (int i = 0; error >= 0 && request->actions && i < request->actions->__used; i++)
        error = apply_action(child, &request->actions->__actions[i]);
    if (error >= 0) {
        const void *mask = child->flags & POSIX_SPAWN_SETSIGMASK ? (const void *)&request->attributes->__ss
                                                                 : &child->previous_mask;
        sys_raw(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, KERNEL_SIGSET_SIZE);
        if (!*request->file)
            error = -ENOENT;
        else
            error = request->search_path && !has_slash(request->file) ? execute_searched(child)
                                                                      : execute(child, request->file);
    }
    child->error = error < 0 ? (int)-error : ECHILD;
    for (;;)
        sys_raw(SYS_exit_group, FAILED);
}

/* A pidfd is only of use where waitid takes it: EBADF for a number that no descriptor has, EINVAL before 5.4. */
static bool pidfds_supported(void)
{
    return sys_raw(SYS_waitid, WAIT_PIDFD, INT_MAX, NULL, WEXITED | WNOHANG, NULL) == -EBADF;
}

static int run(const struct spawn *request, struct child *child, void *stack)
{
    int pidfd = -1;
    unsigned long flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (request->pidfd ? CLONE_PIDFD : 0);
    uint64_t all = ~(uint64_t)0;
    sys_raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &child->previous_mask, KERNEL_SIGSET_SIZE);
    long pid = arch_clone_child(flags, (char *)stack + STACK_SIZE, request->pidfd ? &pidfd : NULL, become_program, child);
    int error = pid < 0 ? (int)-pid : child->error;
    if (pid > 0 && error) {
        while (sys_raw(SYS_wait4, pid, NULL, 0, NULL) == -EINTR)
            ;
        if (pidfd >= 0)
            sys_raw(SYS_close, pidfd);
    }
    if (!error && request->pid)
        *request->pid = (pid_t)pid;
    if (!error && request->pidfd)
        *request->pidfd = pidfd;
    sys_raw(SYS_rt_sigprocmask, SIG_SETMASK, &child->previous_mask, NULL, KERNEL_SIGSET_SIZE);
    return error;
}

int spawn_process(const struct spawn *request)
{
    struct child child = {.request = request, .path = base_getenv("PATH"),
                          .flags = request->attributes ? request->attributes->__flags : 0};
    if (!child.path)
        child.path = DEFAULT_PATH;
    if (child.flags & SPAWN_SETCGROUP)
        return ENOTSUP;
    if (request->pidfd && !pidfds_supported())
        return ENOSYS;
    void *stack = base_mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return *root_errno();
    child.name = stack;
    root_red_zone(child.name + NAME_SIZE, RED_ZONE, true);
    int state;
    base_pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int error = run(request, &child, stack);
    base_pthread_setcancelstate(state, NULL);
    root_red_zone(child.name + NAME_SIZE, RED_ZONE, false);
    base_munmap(stack, STACK_SIZE);
    return error;
}
