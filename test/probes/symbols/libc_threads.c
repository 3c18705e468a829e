/* libc: what moved from libpthread in 2.34, and what is younger. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "symbols.h"

static void *answer(void *argument)
{
    return (char *)argument + 1;
}

static void *sleeper(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static int answer_c11(void *argument)
{
    return (int)(long)argument + 1;
}

static pthread_t started(void *(*f)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, f, (void *)41))
        abort();
    return thread;
}

static long joined(pthread_t thread)
{
    void *result = NULL;
    pthread_join(thread, &result);
    return (long)result;
}

static struct timespec at(int clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}
#define SOON(clock) (&(struct timespec[]){at(clock, 20)}[0])

/* Threads. */
VALUE(pthread_create, joined(started(answer)))
VALUE(pthread_join, pthread_join(started(answer), NULL))
VALUE(pthread_detach, pthread_detach(started(answer)))
VALUE(pthread_testcancel, (pthread_testcancel(), 1))
VALUE(pthread_kill, pthread_kill(pthread_self(), 0))
VALUE(pthread_getconcurrency, pthread_getconcurrency())
VALUE(pthread_setconcurrency, pthread_setconcurrency(3) + pthread_getconcurrency())
VALUE(pthread_setschedprio, pthread_setschedprio(pthread_self(), 0))

SYMBOL(pthread_cancel)
{
    pthread_t t = started(sleeper);
    SHOW(pthread_cancel(t));
    SHOW(joined(t) == (long)PTHREAD_CANCELED);
}

#define JOINS(symbol, ...)                     \
    SYMBOL(symbol)                             \
    {                                          \
        void *result = NULL;                   \
        pthread_t t = started(sleeper);        \
        SHOW(symbol(t, &result __VA_ARGS__));  \
        pthread_cancel(t);                     \
        while (symbol(t, &result __VA_ARGS__)) \
            ;                                  \
        SHOW(result == PTHREAD_CANCELED);      \
    }
JOINS(pthread_tryjoin_np, )
JOINS(pthread_timedjoin_np, , SOON(CLOCK_REALTIME))
JOINS(pthread_clockjoin_np, , CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC))

SYMBOL(pthread_getname_np)
{
    char name[16];
    SHOW(pthread_setname_np(pthread_self(), "capsule"));
    SHOW(pthread_getname_np(pthread_self(), name, sizeof name));
    TEXT(name);
}
VALUE(pthread_setname_np, pthread_setname_np(pthread_self(), "longer than fifteen"))

SYMBOL(pthread_getcpuclockid)
{
    clockid_t clock = 0;
    struct timespec t;
    SHOW(pthread_getcpuclockid(pthread_self(), &clock));
    SHOW(clock_gettime(clock, &t));
}

static volatile sig_atomic_t signalled;
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    signalled = number * 1000 + info->si_value.sival_int;
}

SYMBOL(pthread_sigqueue)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, NULL);
    SHOW(pthread_sigqueue(pthread_self(), SIGUSR1, (union sigval){.sival_int = 7}));
    SHOW(signalled);
}

SYMBOL(pthread_sigmask)
{
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    SHOW(pthread_sigmask(SIG_BLOCK, &set, NULL));
    SHOW(pthread_sigmask(SIG_UNBLOCK, NULL, &old));
    SHOW(sigismember(&old, SIGUSR2));
    SHOW(pthread_sigmask(99, &set, NULL));
}

/* Attributes: what is set is what is got. */
#define ATTRIBUTE(object, kind, field, type, value)   \
    SYMBOL(pthread_##kind##_set##field)               \
    {                                                 \
        pthread_##object##_t a;                       \
        pthread_##kind##_init(&a);                    \
        SHOW(pthread_##kind##_set##field(&a, value)); \
    }                                                 \
    SYMBOL(pthread_##kind##_get##field)               \
    {                                                 \
        pthread_##object##_t a;                       \
        type x = 0;                                   \
        pthread_##kind##_init(&a);                    \
        SHOW(pthread_##kind##_get##field(&a, &x));    \
        SHOW((long long)x);                           \
        pthread_##kind##_set##field(&a, value);       \
        SHOW(pthread_##kind##_get##field(&a, &x));    \
        SHOW((long long)x);                           \
    }
ATTRIBUTE(attr, attr, guardsize, size_t, 8192)
ATTRIBUTE(barrierattr, barrierattr, pshared, int, PTHREAD_PROCESS_SHARED)
ATTRIBUTE(condattr, condattr, clock, clockid_t, CLOCK_MONOTONIC)
ATTRIBUTE(condattr, condattr, pshared, int, PTHREAD_PROCESS_SHARED)
ATTRIBUTE(mutexattr, mutexattr, prioceiling, int, 5)
ATTRIBUTE(mutexattr, mutexattr, protocol, int, PTHREAD_PRIO_INHERIT)
ATTRIBUTE(mutexattr, mutexattr, pshared, int, PTHREAD_PROCESS_SHARED)
ATTRIBUTE(mutexattr, mutexattr, robust, int, PTHREAD_MUTEX_ROBUST)
ATTRIBUTE(mutexattr, mutexattr, type, int, PTHREAD_MUTEX_RECURSIVE)
ATTRIBUTE(rwlockattr, rwlockattr, kind_np, int, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)
ATTRIBUTE(rwlockattr, rwlockattr, pshared, int, PTHREAD_PROCESS_SHARED)

static char own_stack[1 << 18] __attribute__((aligned(4096)));
#define WITH_ATTR(symbol, ...)   \
    SYMBOL(symbol)               \
    {                            \
        pthread_attr_t a;        \
        pthread_attr_init(&a);   \
        void *stack = NULL;      \
        size_t size = 0;         \
        (void)stack, (void)size; \
        __VA_ARGS__              \
    }
WITH_ATTR(pthread_attr_setstacksize, SHOW(pthread_attr_setstacksize(&a, 1 << 20)); SHOW(pthread_attr_setstacksize(&a, 1));)
WITH_ATTR(pthread_attr_getstacksize, pthread_attr_setstacksize(&a, 1 << 20); SHOW(pthread_attr_getstacksize(&a, &size)); SHOW(size);)
WITH_ATTR(pthread_attr_setstack, SHOW(pthread_attr_setstack(&a, own_stack, sizeof own_stack)); SHOW(pthread_attr_setstack(&a, own_stack, 1));)
WITH_ATTR(pthread_attr_getstack, pthread_attr_setstack(&a, own_stack, sizeof own_stack);
          SHOW(pthread_attr_getstack(&a, &stack, &size)); SHOW(stack == own_stack); SHOW(size);)
WITH_ATTR(pthread_attr_setstackaddr, SHOW(pthread_attr_setstackaddr(&a, own_stack + sizeof own_stack));)
WITH_ATTR(pthread_attr_getstackaddr, pthread_attr_setstackaddr(&a, own_stack); SHOW(pthread_attr_getstackaddr(&a, &stack));
          SHOW(stack == own_stack);)
WITH_ATTR(pthread_attr_setaffinity_np, cpu_set_t set; CPU_ZERO(&set); CPU_SET(0, &set);
          SHOW(pthread_attr_setaffinity_np(&a, sizeof set, &set));)
WITH_ATTR(pthread_attr_getaffinity_np, cpu_set_t set; CPU_ZERO(&set); CPU_SET(3, &set);
          pthread_attr_setaffinity_np(&a, sizeof set, &set); CPU_ZERO(&set);
          SHOW(pthread_attr_getaffinity_np(&a, sizeof set, &set)); SHOW(CPU_COUNT(&set)); SHOW(CPU_ISSET(3, &set));)
WITH_ATTR(pthread_attr_getsigmask_np, sigset_t set; SHOW(pthread_attr_getsigmask_np(&a, &set));)
WITH_ATTR(pthread_attr_setsigmask_np, sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1);
          SHOW(pthread_attr_setsigmask_np(&a, &set)); sigemptyset(&set); SHOW(pthread_attr_getsigmask_np(&a, &set));
          SHOW(sigismember(&set, SIGUSR1));)
WITH_ATTR(pthread_getattr_np, SHOW(pthread_getattr_np(pthread_self(), &a)); SHOW(pthread_attr_getstack(&a, &stack, &size));
          SHOW((char *)&a >= (char *)stack);)
WITH_ATTR(pthread_getattr_default_np, SHOW(pthread_getattr_default_np(&a)); SHOW(pthread_attr_getguardsize(&a, &size)); SHOW(size);)
WITH_ATTR(pthread_setattr_default_np, pthread_attr_setstacksize(&a, 1 << 20); SHOW(pthread_setattr_default_np(&a));
          SHOW(joined(started(answer)));)

SYMBOL(pthread_getaffinity_np)
{
    cpu_set_t set;
    SHOW(pthread_getaffinity_np(pthread_self(), sizeof set, &set));
    SHOW(CPU_COUNT(&set) > 0);
    SHOW(pthread_getaffinity_np(pthread_self(), 0, &set));
}
SYMBOL(pthread_setaffinity_np)
{
    cpu_set_t set;
    pthread_getaffinity_np(pthread_self(), sizeof set, &set);
    SHOW(pthread_setaffinity_np(pthread_self(), sizeof set, &set));
    CPU_ZERO(&set);
    SHOW(pthread_setaffinity_np(pthread_self(), sizeof set, &set));
}

VALUE(pthread_barrierattr_init, pthread_barrierattr_init(&(pthread_barrierattr_t){0}))
VALUE(pthread_barrierattr_destroy, pthread_barrierattr_destroy(&(pthread_barrierattr_t){0}))
VALUE(pthread_mutexattr_init, pthread_mutexattr_init(&(pthread_mutexattr_t){0}))
VALUE(pthread_mutexattr_destroy, pthread_mutexattr_destroy(&(pthread_mutexattr_t){0}))
VALUE(pthread_rwlockattr_init, pthread_rwlockattr_init(&(pthread_rwlockattr_t){0}))
VALUE(pthread_rwlockattr_destroy, pthread_rwlockattr_destroy(&(pthread_rwlockattr_t){0}))

/* Locks. */
#define WITH(symbol, declaration, ...) \
    SYMBOL(symbol)                     \
    {                                  \
        declaration;                   \
        __VA_ARGS__                    \
    }
#define MUTEX pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER
WITH(pthread_mutex_trylock, MUTEX, SHOW(pthread_mutex_trylock(&m)); SHOW(pthread_mutex_trylock(&m));)
WITH(pthread_mutex_timedlock, MUTEX, SHOW(pthread_mutex_timedlock(&m, SOON(CLOCK_REALTIME)));
     SHOW(pthread_mutex_timedlock(&m, SOON(CLOCK_REALTIME)));)
WITH(pthread_mutex_clocklock, MUTEX, SHOW(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)));
     SHOW(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC))); SHOW(pthread_mutex_clocklock(&m, 99, SOON(0)));)
WITH(pthread_mutex_consistent, MUTEX, SHOW(pthread_mutex_consistent(&m));)
WITH(pthread_mutex_getprioceiling, MUTEX; int x = -1, SHOW(pthread_mutex_getprioceiling(&m, &x)); SHOW(x);)
WITH(pthread_mutex_setprioceiling, MUTEX, SHOW(pthread_mutex_setprioceiling(&m, 5, NULL));)

WITH(pthread_cond_clockwait, MUTEX; pthread_cond_t c = PTHREAD_COND_INITIALIZER, pthread_mutex_lock(&m);
     SHOW(pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)));
     SHOW(pthread_cond_clockwait(&c, &m, CLOCK_REALTIME, SOON(CLOCK_REALTIME)));
     SHOW(pthread_cond_clockwait(&c, &m, 99, SOON(0)));)

#define RWLOCK pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER
WITH(pthread_rwlock_init, RWLOCK, SHOW(pthread_rwlock_init(&l, NULL));)
WITH(pthread_rwlock_destroy, RWLOCK, SHOW(pthread_rwlock_destroy(&l));)
WITH(pthread_rwlock_rdlock, RWLOCK, SHOW(pthread_rwlock_rdlock(&l)); SHOW(pthread_rwlock_rdlock(&l));)
WITH(pthread_rwlock_wrlock, RWLOCK, SHOW(pthread_rwlock_wrlock(&l)); SHOW(pthread_rwlock_wrlock(&l));)
WITH(pthread_rwlock_tryrdlock, RWLOCK, SHOW(pthread_rwlock_tryrdlock(&l)); SHOW(pthread_rwlock_trywrlock(&l));)
WITH(pthread_rwlock_trywrlock, RWLOCK, SHOW(pthread_rwlock_trywrlock(&l)); SHOW(pthread_rwlock_tryrdlock(&l));)
WITH(pthread_rwlock_unlock, RWLOCK, pthread_rwlock_wrlock(&l); SHOW(pthread_rwlock_unlock(&l)); SHOW(pthread_rwlock_trywrlock(&l));)
WITH(pthread_rwlock_timedrdlock, RWLOCK, SHOW(pthread_rwlock_timedrdlock(&l, SOON(CLOCK_REALTIME)));
     SHOW(pthread_rwlock_timedwrlock(&l, SOON(CLOCK_REALTIME)));)
WITH(pthread_rwlock_timedwrlock, RWLOCK, SHOW(pthread_rwlock_timedwrlock(&l, SOON(CLOCK_REALTIME)));
     SHOW(pthread_rwlock_timedrdlock(&l, SOON(CLOCK_REALTIME)));)
WITH(pthread_rwlock_clockrdlock, RWLOCK, SHOW(pthread_rwlock_clockrdlock(&l, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)));
     SHOW(pthread_rwlock_clockwrlock(&l, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)));)
WITH(pthread_rwlock_clockwrlock, RWLOCK, SHOW(pthread_rwlock_clockwrlock(&l, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)));
     SHOW(pthread_rwlock_clockwrlock(&l, 99, SOON(0)));)

#define SPIN pthread_spinlock_t l; pthread_spin_init(&l, 0)
WITH(pthread_spin_init, pthread_spinlock_t l, SHOW(pthread_spin_init(&l, 0));)
WITH(pthread_spin_destroy, SPIN, SHOW(pthread_spin_destroy(&l));)
WITH(pthread_spin_lock, SPIN, SHOW(pthread_spin_lock(&l)); SHOW(pthread_spin_trylock(&l));)
WITH(pthread_spin_trylock, SPIN, SHOW(pthread_spin_trylock(&l)); SHOW(pthread_spin_trylock(&l));)
WITH(pthread_spin_unlock, SPIN, pthread_spin_lock(&l); SHOW(pthread_spin_unlock(&l)); SHOW(pthread_spin_trylock(&l));)

#define BARRIER pthread_barrier_t b; pthread_barrier_init(&b, NULL, 1)
WITH(pthread_barrier_init, pthread_barrier_t b, SHOW(pthread_barrier_init(&b, NULL, 1)); SHOW(pthread_barrier_init(&b, NULL, 0));)
WITH(pthread_barrier_wait, BARRIER, SHOW(pthread_barrier_wait(&b));)
WITH(pthread_barrier_destroy, BARRIER, SHOW(pthread_barrier_destroy(&b));)

#define SEM sem_t s; sem_init(&s, 0, 1)
WITH(sem_init, sem_t s, SHOW(sem_init(&s, 0, 1)); SHOW(sem_init(&s, 0, UINT_MAX));)
WITH(sem_destroy, SEM, SHOW(sem_destroy(&s));)
WITH(sem_post, SEM, SHOW(sem_post(&s));)
WITH(sem_wait, SEM, SHOW(sem_wait(&s));)
WITH(sem_trywait, SEM, SHOW(sem_trywait(&s)); SHOW(sem_trywait(&s));)
WITH(sem_getvalue, SEM; int x = -1, sem_post(&s); SHOW(sem_getvalue(&s, &x)); SHOW(x);)
WITH(sem_timedwait, SEM, SHOW(sem_timedwait(&s, SOON(CLOCK_REALTIME))); SHOW(sem_timedwait(&s, SOON(CLOCK_REALTIME)));)
WITH(sem_clockwait, SEM, SHOW(sem_clockwait(&s, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)));
     SHOW(sem_clockwait(&s, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC))); SHOW(sem_clockwait(&s, 99, SOON(0)));)
VALUE(sem_open, sem_open("/capsule-absent", 0) == SEM_FAILED)
VALUE(sem_close, (sem_unlink("/capsule-symbols"), sem_close(sem_open("/capsule-symbols", O_CREAT, 0600, 1)) + sem_unlink("/capsule-symbols")))
VALUE(sem_unlink, sem_unlink("/capsule-absent"))

/* Keys, once, clean-up. */
static void destroyed(void *value)
{
    printf(" destroyed %ld", (long)value);
}
#define KEY pthread_key_t k; pthread_key_create(&k, destroyed)
WITH(pthread_key_create, pthread_key_t k, SHOW(pthread_key_create(&k, NULL));)
int __pthread_key_create(pthread_key_t *, void (*)(void *));
WITH(__pthread_key_create, pthread_key_t k, SHOW(__pthread_key_create(&k, NULL));)
WITH(pthread_key_delete, KEY, SHOW(pthread_key_delete(k)); SHOW(pthread_key_delete(k));)
WITH(pthread_setspecific, KEY, SHOW(pthread_setspecific(k, (void *)5)); SHOW(pthread_setspecific(9999, NULL));)
WITH(pthread_getspecific, KEY, pthread_setspecific(k, (void *)5); SHOW((long)pthread_getspecific(k));)

static void say_once(void)
{
    printf(" once");
}
WITH(pthread_once, static pthread_once_t o, SHOW(pthread_once(&o, say_once)); SHOW(pthread_once(&o, say_once));)
WITH(call_once, static once_flag o, call_once(&o, say_once); call_once(&o, say_once);)

/* C11. */
#define THREAD thrd_t t; thrd_create(&t, answer_c11, (void *)41)
WITH(thrd_create, thrd_t t; int x = 0, SHOW(thrd_create(&t, answer_c11, (void *)41)); thrd_join(t, &x); SHOW(x);)
WITH(thrd_join, THREAD, int x = 0; SHOW(thrd_join(t, &x)); SHOW(x);)
WITH(thrd_detach, THREAD, SHOW(thrd_detach(t));)
static int leaver(void *argument)
{
    thrd_exit((int)(long)argument);
}
WITH(thrd_exit, thrd_t t; int x = 0, thrd_create(&t, leaver, (void *)9); thrd_join(t, &x); SHOW(x);)
#define MTX mtx_t m; mtx_init(&m, mtx_timed)
WITH(mtx_init, mtx_t m, SHOW(mtx_init(&m, mtx_plain)); SHOW(mtx_init(&m, 99));)
WITH(mtx_destroy, MTX, mtx_destroy(&m);)
WITH(mtx_lock, MTX, SHOW(mtx_lock(&m)); SHOW(mtx_trylock(&m));)
WITH(mtx_trylock, MTX, SHOW(mtx_trylock(&m)); SHOW(mtx_trylock(&m));)
WITH(mtx_unlock, MTX, mtx_lock(&m); SHOW(mtx_unlock(&m)); SHOW(mtx_trylock(&m));)
WITH(mtx_timedlock, MTX, SHOW(mtx_timedlock(&m, SOON(CLOCK_REALTIME))); SHOW(mtx_timedlock(&m, SOON(CLOCK_REALTIME)));)
#define CND MTX; cnd_t c; cnd_init(&c)
WITH(cnd_init, cnd_t c, SHOW(cnd_init(&c));)
WITH(cnd_destroy, CND, cnd_destroy(&c);)
WITH(cnd_signal, CND, SHOW(cnd_signal(&c));)
WITH(cnd_broadcast, CND, SHOW(cnd_broadcast(&c));)
WITH(cnd_timedwait, CND, mtx_lock(&m); SHOW(cnd_timedwait(&c, &m, SOON(CLOCK_REALTIME)));)
static mtx_t shared_mutex;
static cnd_t shared_condition;
static int ready;
static int wake(void *argument)
{
    mtx_lock(&shared_mutex);
    ready = 1;
    cnd_signal(&shared_condition);
    mtx_unlock(&shared_mutex);
    return argument != NULL;
}
SYMBOL(cnd_wait)
{
    thrd_t t;
    mtx_init(&shared_mutex, mtx_plain);
    cnd_init(&shared_condition);
    mtx_lock(&shared_mutex);
    thrd_create(&t, wake, NULL);
    while (!ready)
        SHOW(cnd_wait(&shared_condition, &shared_mutex));
}
#define TSS tss_t k; tss_create(&k, NULL)
WITH(tss_create, tss_t k, SHOW(tss_create(&k, NULL));)
WITH(tss_delete, TSS, tss_delete(k);)
WITH(tss_set, TSS, SHOW(tss_set(k, (void *)5));)
WITH(tss_get, TSS, tss_set(k, (void *)5); SHOW((long)tss_get(k));)

/* Processes and threads by number. */
VALUE(gettid, gettid() == getpid())
VALUE(tgkill, tgkill(getpid(), gettid(), 0) + 10 * tgkill(getpid(), -5, 0))
SYMBOL(getcpu)
{
    unsigned cpu = -1u, node = -1u;
    SHOW(getcpu(&cpu, &node));
    SHOW(cpu < 100000 && node < 100000);
}
