/* _Fork, closefrom and pidfd_getpid. */
#include "driver.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int handlers_run;

static void count_handler(void)
{
    handlers_run++;
}

/* What parent and child share. */
struct shared {
    pthread_mutex_t of_parent, of_child;
};

static void init_robust(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    RT(pthread_mutexattr_init)(&attributes);
    RT(pthread_mutexattr_setrobust)(&attributes, PTHREAD_MUTEX_ROBUST);
    RT(pthread_mutexattr_setpshared)(&attributes, PTHREAD_PROCESS_SHARED);
    RT(pthread_mutex_init)(mutex, &attributes);
}

/* In the child: it knows its own numbers (the owner of a mutex is the thread's number), keeps the signal mask, and
 * may only call what a signal handler may; locking is not among that, but shows what the thread believes. */
static int child_of_fork(struct shared *shared, pid_t parent)
{
    pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    sigset_t mask;
    int wrong = 0;
    wrong |= (getpid() == parent) << 0;
    wrong |= (getppid() != parent) << 1;
    wrong |= (syscall(SYS_gettid) != getpid()) << 2;
    RT(pthread_mutex_lock)(&mutex);
    wrong |= (mutex.__data.__owner != getpid()) << 3;
    RT(pthread_sigmask)(SIG_SETMASK, NULL, &mask);
    wrong |= (!sigismember(&mask, SIGUSR2) || sigismember(&mask, SIGUSR1)) << 4;
    wrong |= (handlers_run != 0) << 5;
    RT(pthread_mutex_lock)(&shared->of_child); /* and ends with it */
    return wrong;
}

static void *fork_here(void *implementation)
{
    pid_t (*f)(void) = implementation;
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    init_robust(&shared->of_parent);
    init_robust(&shared->of_child);
    RT(pthread_mutex_lock)(&shared->of_parent);
    sigset_t mask, before, after;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    RT(pthread_sigmask)(SIG_SETMASK, &mask, &before);
    pid_t parent = getpid(), child = f();
    if (child == 0)
        _exit(child_of_fork(shared, parent));
    RT(pthread_sigmask)(SIG_SETMASK, &before, &after);
    EXPECT(sigismember(&after, SIGUSR2) && !sigismember(&after, SIGUSR1) && !sigismember(&after, SIGINT));
    int status = -1;
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 0);
    EQUAL(RT(pthread_mutex_lock)(&shared->of_child), EOWNERDEAD);
    EQUAL(shared->of_parent.__data.__owner, syscall(SYS_gettid));
    EQUAL(RT(pthread_mutex_unlock)(&shared->of_parent), 0);
    munmap(shared, sizeof *shared);
    return NULL;
}

static void judge_fork(void *implementation)
{
    static bool registered;
    int (*register_atfork)(void (*)(void), void (*)(void), void (*)(void), void *) = runtime("__register_atfork");
    if (!registered)
        EQUAL(register_atfork(count_handler, count_handler, count_handler, NULL), 0);
    registered = true;
    handlers_run = 0;
    pthread_t thread;
    fflush(NULL);
    fork_here(implementation);
    EQUAL(RT(pthread_create)(&thread, NULL, fork_here, implementation), 0);
    RT(pthread_join)(thread, NULL);
    EQUAL(handlers_run, 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void close_some(void *implementation)
{
    void (*f)(int) = implementation;
    static const int fds[] = {10, 15, 20, 300, 700};
    for (int i = 0; i < 5; i++)
        dup2(STDOUT_FILENO, fds[i]);
    f(15);
    EXPECT(is_open(STDOUT_FILENO) && is_open(10) && !is_open(15) && !is_open(20) && !is_open(300) && !is_open(700));
}

static void close_without_range(void *implementation)
{
    if (take_away(436 /* close_range */))
        close_some(implementation);
}

/* Not one descriptor left with which to look for the others. */
static void close_in_full_table(void *implementation)
{
    void (*f)(int) = implementation;
    struct rlimit limit = {60, 60};
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(STDOUT_FILENO) >= 0)
        ;
    if (!take_away(436))
        return;
    f(20);
    for (int fd = 0; fd < 60; fd++)
        EXPECT(fd == STDERR_FILENO || is_open(fd) == (fd < 20));
}

/* Everything, with the arguments below 0 meaning 0. */
static void close_all(void *implementation)
{
    void (*f)(int) = implementation;
    f(-5);
    _exit(is_open(0) || is_open(1));
}

static void judge_closefrom(void *implementation)
{
    EQUAL(status_of(close_some, implementation), 0);
    EQUAL(status_of(close_without_range, implementation), 0);
    EQUAL(status_of(close_in_full_table, implementation), 0);
    EQUAL(status_of(close_all, implementation), 0);
}

static void judge_pidfd_getpid(void *implementation)
{
    pid_t (*f)(int) = implementation;
    FAILS(f(-1), -1, EBADF);
    FAILS(f(9999), -1, EBADF);
    int pipes[2];
    EQUAL(pipe(pipes), 0);
    FAILS(f(pipes[0]), -1, EBADF);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char c;
        close(pipes[1]);
        _exit((int)read(pipes[0], &c, 1));
    }
    int fd = (int)syscall(434 /* pidfd_open */, child, 0);
    if (fd >= 0)
        EQUAL(f(fd), child);
    close(pipes[0]), close(pipes[1]);
    EQUAL(waitpid(child, NULL, 0), child);
    if (fd >= 0)
        FAILS(f(fd), -1, ESRCH);
    close(fd);
}

void check_process(void)
{
    check("_Fork", judge_fork);
    check("closefrom", judge_closefrom);
    check("pidfd_getpid", judge_pidfd_getpid);
}
