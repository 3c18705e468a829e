/* Thin system calls. Each is called in a way that works, and in one that fails with a certain errno. */
#include "driver.h"

#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

/* A kernel without the call, or a sandbox that refuses it, answers so for every function alike. */
static bool absent(int result)
{
    return result == -1 && errno == ENOSYS;
}

static void judge_getcpu(void *implementation)
{
    int (*f)(unsigned *, unsigned *) = implementation;
    unsigned cpu = ~0u, node = ~0u;
    EQUAL(f(&cpu, &node), 0);
    EXPECT(cpu < 100000 && node < 100000);
    EQUAL(f(NULL, NULL), 0);
}

static void judge_getdents64(void *implementation)
{
    ssize_t (*f)(int, void *, size_t) = implementation;
    char buffer[4096] __attribute__((aligned(8)));
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    bool found = false;
    ssize_t n;
    while ((n = f(dir, buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; at < n;) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            found |= !strcmp(entry->d_name, "maps");
            at += entry->d_reclen;
        }
    EQUAL(n, 0);
    EXPECT(found);
    close(dir);
    FAILS(f(-1, buffer, sizeof buffer), -1, EBADF);
}

static void judge_close_range(void *implementation)
{
    int (*f)(unsigned, unsigned, int) = implementation;
    int a = fcntl(0, F_DUPFD, 700), b = fcntl(0, F_DUPFD, 701), c = fcntl(0, F_DUPFD, 702);
    if (absent(f(700, 701, 0)))
        return (void)(close(a), close(b), close(c));
    FAILS(fcntl(a, F_GETFD), -1, EBADF);
    FAILS(fcntl(b, F_GETFD), -1, EBADF);
    EQUAL(fcntl(c, F_GETFD), 0);
    FAILS(f(5, 4, 0), -1, EINVAL);
    close(c);
}

static void do_execveat(void *implementation)
{
    int (*f)(int, const char *, char *const[], char *const[], int) = implementation;
    char *arguments[] = {self, "exit", "33", NULL}, *environment[] = {NULL};
    f(open(self, O_PATH | O_CLOEXEC), "", arguments, environment, AT_EMPTY_PATH);
}

static void judge_execveat(void *implementation)
{
    int (*f)(int, const char *, char *const[], char *const[], int) = implementation;
    char *none[] = {NULL};
    FAILS(f(AT_FDCWD, "/nonexistent", none, none, 0), -1, ENOENT);
    int status = status_of(do_execveat, implementation);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 33);
}

static void judge_epoll_pwait2(void *implementation)
{
    int (*f)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *) = implementation;
    int ends[2], epoll = epoll_create(1);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7}, got = {0};
    struct timespec zero = {0, 0}, ms20 = {0, 20000000}, wrong = {0, -1};
    EQUAL(pipe(ends), 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    if (!absent(f(epoll, &got, 1, &zero, NULL))) {
        struct timespec began = in_ms(CLOCK_MONOTONIC, 0);
        EQUAL(f(epoll, &got, 1, &ms20, NULL), 0);
        EXPECT(ms_since(CLOCK_MONOTONIC, &began) >= 20);
        EQUAL(write(ends[1], "", 1), 1);
        EQUAL(f(epoll, &got, 1, NULL, NULL), 1);
        EQUAL(got.data.u64, 7);
        FAILS(f(epoll, &got, 1, &wrong, NULL), -1, EINVAL);
        FAILS(f(-1, &got, 1, &zero, NULL), -1, EBADF);
        sigset_t mask;
        sigemptyset(&mask);
        EQUAL(f(epoll, &got, 1, &zero, &mask), 1);
    }
    close(ends[0]), close(ends[1]), close(epoll);
}

struct cancelled {
    void *implementation;
    int epoll;
    sem_t started;
};

static void *wait_for_ever(void *argument)
{
    struct cancelled *c = argument;
    struct epoll_event got;
    RT(sem_post)(&c->started);
    ((int (*)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *))c->implementation)(
        c->epoll, &got, 1, NULL, NULL);
    return NULL;
}

static void judge_epoll_cancel(void *implementation)
{
    struct cancelled c = {.implementation = implementation, .epoll = epoll_create(1)};
    pthread_t thread;
    void *value = NULL;
    RT(sem_init)(&c.started, 0, 0);
    RT(pthread_create)(&thread, NULL, wait_for_ever, &c);
    RT(sem_wait)(&c.started);
    usleep(20000);
    RT(pthread_cancel)(thread);
    RT(pthread_join)(thread, &value);
    EXPECT(value == PTHREAD_CANCELED);
    int type = -1;
    RT(pthread_setcanceltype)(PTHREAD_CANCEL_DEFERRED, &type);
    EQUAL(type, PTHREAD_CANCEL_DEFERRED); /* not left asynchronous by the calls before */
    close(c.epoll);
}

static pid_t sleeper(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    return child;
}

static int open_pidfd(pid_t pid)
{
    return (int)syscall(434 /* pidfd_open */, pid, 0);
}

static void judge_pidfd_open(void *implementation)
{
    int (*f)(pid_t, unsigned) = implementation;
    int fd = f(getpid(), 0);
    if (absent(fd))
        return;
    EXPECT(fd >= 0);
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    FAILS(f(getpid(), 0x40000000), -1, EINVAL);
    FAILS(f(-1, 0), -1, EINVAL);
}

static void judge_pidfd_getfd(void *implementation)
{
    int (*f)(int, int, unsigned) = implementation;
    int ends[2], fd = open_pidfd(getpid());
    EQUAL(pipe(ends), 0);
    int same = f(fd, ends[1], 0);
    if (fd >= 0 && !absent(same)) {
        char c = 0;
        EQUAL(write(same, "x", 1), 1);
        EQUAL(read(ends[0], &c, 1), 1);
        EQUAL(c, 'x');
        FAILS(f(fd, 99999, 0), -1, EBADF);
    }
    close(same), close(fd), close(ends[0]), close(ends[1]);
}

static void judge_pidfd_send_signal(void *implementation)
{
    int (*f)(int, int, siginfo_t *, unsigned) = implementation;
    pid_t child = sleeper();
    int fd = open_pidfd(child), status = 0;
    if (fd < 0 || absent(f(fd, SIGTERM, NULL, 0)))
        kill(child, SIGTERM);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(WTERMSIG(status), SIGTERM);
    FAILS(f(-1, 0, NULL, 0), -1, EBADF);
    close(fd);
}

static void judge_process_madvise(void *implementation)
{
    ssize_t (*f)(int, const struct iovec *, size_t, int, unsigned) = implementation;
    void *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec range = {page, 8192};
    int fd = open_pidfd(getpid());
    ssize_t n = f(fd, &range, 1, 20 /* MADV_COLD */, 0);
    EXPECT(n == 8192 || errno == ENOSYS || errno == EPERM);
    errno = 0;
    EXPECT(f(fd, &range, 1, 9999, 0) == -1 && (errno == EINVAL || errno == ENOSYS));
    munmap(page, 8192);
    close(fd);
}

static void judge_process_mrelease(void *implementation)
{
    int (*f)(int, unsigned) = implementation;
    pid_t child = sleeper();
    int fd = open_pidfd(child);
    errno = 0;
    EXPECT(f(fd, 0) == -1 && (errno == EINVAL || errno == ENOSYS)); /* it is not being killed */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    errno = 0;
    EXPECT(f(fd, 1) == -1 && (errno == EINVAL || errno == ENOSYS));
    close(fd);
}

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static void judge_sched_getattr(void *implementation)
{
    int (*f)(pid_t, struct attributes *, unsigned, unsigned) = implementation;
    struct attributes a;
    memset(&a, 0xee, sizeof a);
    EQUAL(f(0, &a, sizeof a, 0), 0);
    EQUAL(a.size, sizeof a);
    EQUAL(a.policy, sched_getscheduler(0));
    FAILS(f(0, &a, 1, 0), -1, EINVAL);
    FAILS(f(-1, &a, sizeof a, 0), -1, EINVAL);
}

static void do_sched_setattr(void *implementation)
{
    int (*f)(pid_t, struct attributes *, unsigned) = implementation;
    struct attributes a = {.size = sizeof a, .policy = 3 /* SCHED_BATCH */, .nice = 19 /* as nice as can be: nobody may be less nice than he is */};
    EQUAL(f(0, &a, 0), 0);
    EQUAL(sched_getscheduler(0), 3);
    a.policy = 9999;
    FAILS(f(0, &a, 0), -1, EINVAL);
}

static void judge_sched_setattr(void *implementation)
{
    EQUAL(status_of(do_sched_setattr, implementation), 0);
}

static void judge_openat2(void *implementation)
{
    int (*f)(int, const char *, const uint64_t *, size_t) = implementation;
    uint64_t how[3] = {O_RDONLY, 0, 0}, wrong[3] = {O_RDONLY, 0, 1ULL << 60};
    int fd = f(AT_FDCWD, "/proc/self/exe", how, sizeof how);
    if (absent(fd))
        return;
    EXPECT(fd >= 0);
    close(fd);
    FAILS(f(AT_FDCWD, "/nonexistent", how, sizeof how), -1, ENOENT);
    FAILS(f(AT_FDCWD, "/", wrong, sizeof how), -1, EINVAL);
}

static void judge_mseal(void *implementation)
{
    int (*f)(void *, size_t, unsigned long) = implementation;
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int result = f(page, size, 0);
    if (!absent(result)) {
        EQUAL(result, 0);
        FAILS(munmap(page, size), -1, EPERM);
    }
    errno = 0;
    EXPECT(f(page, size, 1) == -1 && (errno == EINVAL || errno == ENOSYS));
}

void check_linux(void)
{
    check("getcpu", judge_getcpu);
    check("getdents64", judge_getdents64);
    check("close_range", judge_close_range);
    check("execveat", judge_execveat);
    check("epoll_pwait2", judge_epoll_pwait2);
    check("epoll_pwait2", judge_epoll_cancel);
    check("pidfd_open", judge_pidfd_open);
    check("pidfd_getfd", judge_pidfd_getfd);
    check("pidfd_send_signal", judge_pidfd_send_signal);
    check("process_madvise", judge_process_madvise);
    check("process_mrelease", judge_process_mrelease);
    check("sched_getattr", judge_sched_getattr);
    check("sched_setattr", judge_sched_setattr);
    check("openat2", judge_openat2);
    check("mseal", judge_mseal);
}
