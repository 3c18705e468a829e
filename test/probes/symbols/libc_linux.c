/* libc: system calls, files and processes (2.29 to 2.41). */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <search.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#if defined __x86_64__ || defined __i386__
#include <sys/platform/x86.h>
#endif
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbols.h"

#define STAT(symbol, type, ...)                                   \
    SYMBOL(symbol)                                                \
    {                                                             \
        type s = {0};                                             \
        int dir = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC); \
        (void)dir;                                                \
        SHOW(__VA_ARGS__);                                        \
        SHOW(S_ISCHR(s.st_mode));                                 \
        SHOW(major(s.st_rdev) * 1000 + minor(s.st_rdev));         \
    }
STAT(stat, struct stat, stat("/dev/null", &s))
STAT(stat64, struct stat64, stat64("/dev/null", &s))
STAT(lstat, struct stat, lstat("/dev/null", &s))
STAT(lstat64, struct stat64, lstat64("/dev/null", &s))
STAT(fstat, struct stat, fstat(open("/dev/null", O_RDONLY), &s))
STAT(fstat64, struct stat64, fstat64(open("/dev/null", O_RDONLY), &s))
STAT(fstatat, struct stat, fstatat(dir, "null", &s, 0))
STAT(fstatat64, struct stat64, fstatat64(dir, "null", &s, AT_SYMLINK_NOFOLLOW))

static const char *scratch(void)
{
    static char name[] = "/tmp/capsule-symbols-XXXXXX";
    return mkdtemp(name);
}
SYMBOL(mknod)
{
    char path[100];
    snprintf(path, sizeof path, "%s/fifo", scratch());
    SHOW(mknod(path, S_IFIFO | 0600, 0));
    SHOW(mknod(path, S_IFIFO | 0600, 0));
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
}
SYMBOL(mknodat)
{
    const char *dir = scratch();
    int d = open(dir, O_PATH | O_DIRECTORY);
    SHOW(mknodat(d, "fifo", S_IFIFO | 0600, 0));
    SHOW(mknodat(d, "fifo", S_IFIFO | 0600, 0));
    SHOW(unlinkat(d, "fifo", 0));
    rmdir(dir);
}

SYMBOL(getdents64)
{
    char buffer[4096];
    SHOW(getdents64(open("/", O_RDONLY | O_DIRECTORY), buffer, sizeof buffer) > 0);
    SHOW(getdents64(-1, buffer, sizeof buffer));
}
SYMBOL(close_range)
{
    int f = dup(2);
    SHOW(close_range((unsigned)f, (unsigned)f, 0));
    SHOW(close(f));
    SHOW(close_range(5, 4, 0));
}
SYMBOL(closefrom)
{
    int f = fcntl(2, F_DUPFD, 50);
    closefrom(40);
    SHOW(close(f));
}
SYMBOL(mallinfo2)
{
    SHOW(mallinfo2().uordblks > 0);
}
static int order(const void *a, const void *b)
{
    return strcmp(a, b);
}
static void visited(const void *node, VISIT visit, void *closure)
{
    if (visit == leaf || visit == postorder)
        printf(" %s%s", *(const char *const *)node, (const char *)closure);
}
SYMBOL(twalk_r)
{
    void *root = NULL;
    static const char *const words[] = {"d", "b", "a", "c", "e"};
    for (int i = 0; i < 5; i++)
        tsearch(words[i], &root, order);
    twalk_r(root, visited, "!");
}

/* Chance: only what is certain of it. */
VALUE(arc4random, (arc4random() | arc4random() | arc4random() | arc4random()) != 0)
VALUE(arc4random_uniform, arc4random_uniform(10) < 10 && arc4random_uniform(1) == 0)
SYMBOL(arc4random_buf)
{
    char a[32] = "", b[32] = "";
    arc4random_buf(a, sizeof a);
    SHOW(memcmp(a, b, sizeof a) != 0);
}

VALUE(epoll_pwait2, epoll_pwait2(epoll_create1(0), (struct epoll_event[1]){0}, 1, &(struct timespec){0, 1000}, NULL))
VALUE(execveat, execveat(-1, "", (char *[]){NULL}, (char *[]){NULL}, AT_EMPTY_PATH))

SYMBOL(pidfd_open)
{
    SHOW(pidfd_open(getpid(), 0) >= 0);
    SHOW(pidfd_open(-1, 0));
}
SYMBOL(pidfd_getpid)
{
    SHOW(pidfd_getpid(pidfd_open(getpid(), 0)) == getpid());
    SHOW(pidfd_getpid(open("/dev/null", O_RDONLY)));
}
VALUE(pidfd_send_signal, pidfd_send_signal(pidfd_open(getpid(), 0), 0, NULL, 0))
VALUE(pidfd_getfd, pidfd_getfd(-1, 0, 0))
VALUE(process_madvise, process_madvise(-1, &(struct iovec){0}, 1, MADV_COLD, 0))
VALUE(process_mrelease, process_mrelease(-1, 0))

/* Permission or not: without one these fail for another reason, so only that they fail is told. */
VALUE(fsopen, fsopen("capsule-absent", 0) == -1)
VALUE(fsconfig, fsconfig(-1, FSCONFIG_SET_FLAG, "x", NULL, 0) == -1)
VALUE(fsmount, fsmount(-1, 0, 0) == -1)
VALUE(fspick, fspick(-1, "absent", 0) == -1)
VALUE(open_tree, open_tree(-1, "absent", 0) == -1)
VALUE(move_mount, move_mount(-1, "absent", -1, "absent", 0) == -1)
VALUE(mount_setattr, mount_setattr(-1, "absent", 0, &(struct mount_attr){0}, sizeof(struct mount_attr)) == -1)

SYMBOL(sched_getattr)
{
    struct sched_attr a = {0};
    SHOW(sched_getattr(0, &a, sizeof a, 0));
    SHOW(a.sched_policy);
    SHOW(sched_getattr(0, &a, 1, 0));
}
SYMBOL(sched_setattr)
{
    struct sched_attr a = {.size = sizeof a};
    SHOW(sched_setattr(0, &a, 0));
    a.sched_policy = 99;
    SHOW(sched_setattr(0, &a, 0));
}

/* Children. */
static int spawned(posix_spawn_file_actions_t *actions, const char *script)
{
    pid_t child = -1;
    int status = -1;
    int error = posix_spawn(&child, "/bin/sh", actions, NULL, (char *[]){"sh", "-c", (char *)script, NULL}, environ);
    if (error)
        return -error;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
#define ACTION(symbol, script, ...)              \
    SYMBOL(symbol)                               \
    {                                            \
        posix_spawn_file_actions_t actions;      \
        posix_spawn_file_actions_init(&actions); \
        SHOW(symbol(&actions, __VA_ARGS__));     \
        RESULT(spawned(&actions, script));       \
    }
ACTION(posix_spawn_file_actions_addchdir_np, "[ \"$PWD\" = /usr ] && exit 7", "/usr")
ACTION(posix_spawn_file_actions_addfchdir_np, "[ \"$PWD\" = /usr ] && exit 7", open("/usr", O_RDONLY | O_DIRECTORY))
ACTION(posix_spawn_file_actions_addclosefrom_np, "exec 9>&3 || exit 8", 3)
ACTION(posix_spawn_file_actions_addtcsetpgrp_np, "exit 7", -1)

#define SPAWN(symbol, program)                                                                        \
    SYMBOL(symbol)                                                                                    \
    {                                                                                                 \
        int child = -1;                                                                               \
        siginfo_t info = {0};                                                                         \
        RESULT(symbol(&child, program, NULL, NULL, (char *[]){"sh", "-c", "exit 9", NULL}, environ)); \
        SHOW(waitid(P_PIDFD, (id_t)child, &info, WEXITED));                                           \
        SHOW(info.si_status);                                                                         \
        RESULT(symbol(&child, "/absent", NULL, NULL, (char *[]){"x", NULL}, environ));                \
    }
SPAWN(pidfd_spawn, "/bin/sh")
SPAWN(pidfd_spawnp, "sh")
SYMBOL(posix_spawnattr_setcgroup_np)
{
    posix_spawnattr_t a;
    int group = -1;
    posix_spawnattr_init(&a);
    SHOW(posix_spawnattr_setcgroup_np(&a, 5));
    SHOW(posix_spawnattr_getcgroup_np(&a, &group));
    SHOW(group);
}
SYMBOL(posix_spawnattr_getcgroup_np)
{
    posix_spawnattr_t a;
    int group = -1;
    posix_spawnattr_init(&a);
    SHOW(posix_spawnattr_getcgroup_np(&a, &group));
    SHOW(group);
}
SYMBOL(_Fork)
{
    int status = -1;
    pid_t child = _Fork();
    if (child == 0)
        _exit(5);
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
}

#if defined __x86_64__ || defined __i386__
SYMBOL(__x86_get_cpuid_feature_leaf)
{
    SHOW(x86_cpu_present(x86_cpu_SSE2) != 0);
    SHOW(x86_cpu_active(x86_cpu_CMOV) != 0);
}
#endif

