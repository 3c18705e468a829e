/* Threads: numbers, attributes, and the three variables of ld.so. */
#include "driver.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void judge_gettid(void *implementation)
{
    pid_t (*f)(void) = implementation;
    EQUAL(f(), getpid());
}

static volatile sig_atomic_t signalled;

static void note_signal(int signal)
{
    signalled = signal;
}

static void judge_tgkill(void *implementation)
{
    int (*f)(pid_t, pid_t, int) = implementation;
    signal(SIGUSR1, note_signal);
    signalled = 0;
    EQUAL(f(getpid(), getpid(), SIGUSR1), 0);
    EQUAL(signalled, SIGUSR1);
    FAILS(f(getpid(), getpid(), 9999), -1, EINVAL);
    FAILS(f(-1, getpid(), 0), -1, EINVAL);
    signal(SIGUSR1, SIG_DFL);
}

struct number {
    pid_t tid;
    int done[2], told[2];
};

static void *tell(void *argument)
{
    struct number *n = argument;
    char c;
    n->tid = (pid_t)syscall(SYS_gettid);
    EQUAL(write(n->told[1], "", 1), 1);
    EQUAL(read(n->done[0], &c, 1), 1);
    return NULL;
}

static void judge_pthread_gettid(void *implementation)
{
    pid_t (*f)(pthread_t) = implementation;
    struct number n = {0};
    pthread_t thread;
    char c;
    EQUAL(f(RT(pthread_self)()), getpid());
    EQUAL(pipe(n.done) | pipe(n.told), 0);
    RT(pthread_create)(&thread, NULL, tell, &n);
    EQUAL(read(n.told[0], &c, 1), 1);
    EQUAL(f(thread), n.tid);
    EXPECT(n.tid != getpid());
    EQUAL(write(n.done[1], "", 1), 1);
    /* Ended but not joined: it has no number any more. */
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", n.tid);
    while (access(path, F_OK) == 0)
        usleep(1000);
    EQUAL(f(thread), -1);
    RT(pthread_join)(thread, NULL);
    for (int i = 0; i < 2; i++)
        close(n.done[i]), close(n.told[i]);
}

/* An older runtime cannot keep a mask: the polyfill says so, and an attribute without one is what it reports. */
static void judge_setsigmask(void *implementation)
{
    int (*f)(pthread_attr_t *, const sigset_t *) = implementation;
    pthread_attr_t attributes;
    sigset_t mask;
    sigemptyset(&mask);
    RT(pthread_attr_init)(&attributes);
    EQUAL(f(&attributes, &mask), is_polyfill ? ENOSYS : 0);
    EQUAL(f(&attributes, NULL), 0);
    RT(pthread_attr_destroy)(&attributes);
}

static void judge_getsigmask(void *implementation)
{
    int (*f)(const pthread_attr_t *, sigset_t *) = implementation;
    pthread_attr_t attributes;
    sigset_t mask;
    sigfillset(&mask);
    RT(pthread_attr_init)(&attributes);
    EQUAL(f(&attributes, &mask), -1);
    EXPECT(!sigismember(&mask, SIGINT));
    RT(pthread_attr_destroy)(&attributes);
}

static void judge_single_threaded(void *variable)
{
    EQUAL(*(const char *)variable, 0);
}

static void judge_rseq_offset(void *variable)
{
    EQUAL(*(const ptrdiff_t *)variable, 0);
}

static void judge_rseq_word(void *variable)
{
    EQUAL(*(const unsigned *)variable, 0);
}

void check_threads(void)
{
    check("gettid", judge_gettid);
    check("tgkill", judge_tgkill);
    check("pthread_gettid_np", judge_pthread_gettid);
    check("pthread_attr_setsigmask_np", judge_setsigmask);
    check("pthread_attr_getsigmask_np", judge_getsigmask);
    check_polyfill("__libc_single_threaded", judge_single_threaded);
    check_polyfill("__rseq_offset", judge_rseq_offset);
    check_polyfill("__rseq_size", judge_rseq_word);
    check_polyfill("__rseq_flags", judge_rseq_word);
}
