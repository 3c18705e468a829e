/* Waits with a deadline on a clock of the caller's choice. Only lower bounds of time are stated: a wait that ends
 * before its deadline is wrong on any machine, one that ends late only on a fast one. */
#include "driver.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#define FAR 60000  /* ms: a deadline that is never reached */
#define NEAR 30    /* ms */
#define SHORT 100  /* ms */
#define LONG 1200  /* ms: more than a slice of the polyfills, which wait in slices where they convert a deadline */

static long a_while(int clock, int own_clock)
{
    return is_polyfill && clock != own_clock ? LONG : SHORT;
}

static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};

/* Another thread that has a lock and gives it back a moment after it was told to. */
struct holder {
    pthread_t thread;
    int (*take)(void *), (*give)(void *);
    void *lock;
    sem_t taken, told;
};

static void wait_until(sem_t *semaphore)
{
    while (RT(sem_wait)(semaphore))
        ;
}

static void *hold(void *argument)
{
    struct holder *h = argument;
    h->take(h->lock);
    RT(sem_post)(&h->taken);
    wait_until(&h->told);
    usleep(NEAR * 1000);
    h->give(h->lock);
    return h;
}

static void start_holder(struct holder *h)
{
    RT(sem_init)(&h->taken, 0, 0);
    RT(sem_init)(&h->told, 0, 0);
    EQUAL(RT(pthread_create)(&h->thread, NULL, hold, h), 0);
    wait_until(&h->taken);
}

typedef int lock_function(void *, clockid_t, const struct timespec *);

/* What holds for a mutex and for both sides of a rwlock: lock is free at the start and at the end. */
static void judge_lock(lock_function *f, void *lock, int (*take)(void *), int (*give)(void *), bool checks_early)
{
    for (int i = 0; i < 2; i++) {
        int clock = clocks[i];
        long ms = a_while(clock, CLOCK_REALTIME);
        struct timespec past = in_ms(clock, -5000), soon, wrong = {1, 1000000000};
        EQUAL(f(lock, clock, &past), 0); /* free: no need to wait */
        EQUAL(give(lock), 0);
        EQUAL(f(lock, CLOCK_PROCESS_CPUTIME_ID, &past), EINVAL);
        EQUAL(f(lock, clock, &wrong), checks_early ? EINVAL : 0);
        if (!checks_early)
            give(lock);

        struct holder h = {.take = take, .give = give, .lock = lock};
        start_holder(&h);
        EQUAL(f(lock, clock, &wrong), EINVAL);
        EQUAL(f(lock, clock, &past), ETIMEDOUT);
        struct timespec began = in_ms(clock, 0);
        soon = in_ms(clock, NEAR);
        EQUAL(f(lock, clock, &soon), ETIMEDOUT);
        EXPECT(ms_since(clock, &began) >= NEAR);
        soon = in_ms(clock, FAR);
        RT(sem_post)(&h.told);
        EQUAL(f(lock, clock, &soon), 0); /* given back in time */
        EXPECT(ms_since(clock, &soon) < 0);
        EQUAL(give(lock), 0);
        RT(pthread_join)(h.thread, NULL);

        start_holder(&h);
        soon = in_ms(clock, ms);
        EQUAL(f(lock, clock, &soon), ETIMEDOUT);
        EXPECT(ms_since(clock, &soon) >= 0);
        RT(sem_post)(&h.told);
        RT(pthread_join)(h.thread, NULL);
    }
}

#define FORWARD(name, type) static int do_##name(void *lock) { return RT(name)((type *)lock); }
FORWARD(pthread_mutex_lock, pthread_mutex_t)
FORWARD(pthread_mutex_unlock, pthread_mutex_t)
FORWARD(pthread_rwlock_wrlock, pthread_rwlock_t)
FORWARD(pthread_rwlock_unlock, pthread_rwlock_t)

static void judge_mutex(void *implementation)
{
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    lock_function *f = implementation;
    judge_lock(f, &plain, do_pthread_mutex_lock, do_pthread_mutex_unlock, false);
    struct timespec later = in_ms(CLOCK_MONOTONIC, FAR);
    EQUAL(f(&checked, CLOCK_MONOTONIC, &later), 0);
    EQUAL(f(&checked, CLOCK_MONOTONIC, &later), EDEADLK);
    EQUAL(f(&recursive, CLOCK_MONOTONIC, &later), 0);
    EQUAL(f(&recursive, CLOCK_MONOTONIC, &later), 0);
}

static void judge_rwlock(void *implementation)
{
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    judge_lock(implementation, &lock, do_pthread_rwlock_wrlock, do_pthread_rwlock_unlock, true);
}

static void *post_later(void *argument)
{
    usleep(NEAR * 1000);
    RT(sem_post)(argument);
    return NULL;
}

static void judge_semaphore(void *implementation)
{
    int (*f)(sem_t *, clockid_t, const struct timespec *) = implementation;
    sem_t semaphore;
    RT(sem_init)(&semaphore, 0, 2);
    for (int i = 0; i < 2; i++) {
        struct timespec past = in_ms(clocks[i], -5000), wrong = {1, -1};
        EQUAL(f(&semaphore, clocks[i], &past), 0);
        FAILS(f(&semaphore, clocks[i], &wrong), -1, EINVAL);
        FAILS(f(&semaphore, CLOCK_BOOTTIME, &past), -1, EINVAL);
    }
    for (int i = 0; i < 2; i++) {
        struct timespec past = in_ms(clocks[i], -5000), soon = in_ms(clocks[i], a_while(clocks[i], CLOCK_REALTIME));
        FAILS(f(&semaphore, clocks[i], &past), -1, ETIMEDOUT);
        FAILS(f(&semaphore, clocks[i], &soon), -1, ETIMEDOUT);
        EXPECT(ms_since(clocks[i], &soon) >= 0);
        pthread_t thread;
        RT(pthread_create)(&thread, NULL, post_later, &semaphore);
        soon = in_ms(clocks[i], FAR);
        EQUAL(f(&semaphore, clocks[i], &soon), 0);
        RT(pthread_join)(thread, NULL);
    }
}

static void *end_when_told(void *argument)
{
    wait_until(argument);
    usleep(NEAR * 1000);
    return argument;
}

static void judge_join(void *implementation)
{
    int (*f)(pthread_t, void **, clockid_t, const struct timespec *) = implementation;
    for (int i = 0; i < 2; i++) {
        struct timespec past = in_ms(clocks[i], -5000), wrong = {1, -1}, later = in_ms(clocks[i], FAR), soon;
        pthread_t thread;
        sem_t told;
        void *value = NULL;
        RT(sem_init)(&told, 0, 0);
        RT(pthread_create)(&thread, NULL, end_when_told, &told);
        if (is_polyfill) { /* older releases wait for the thread's end then: 2.31 with both, 2.36 with the first */
            EQUAL(f(thread, &value, clocks[i], &wrong), EINVAL);
            EQUAL(f(thread, &value, CLOCK_PROCESS_CPUTIME_ID, &later), EINVAL);
        }
        EQUAL(f(thread, &value, clocks[i], &past), ETIMEDOUT);
        soon = in_ms(clocks[i], a_while(clocks[i], CLOCK_REALTIME));
        EQUAL(f(thread, &value, clocks[i], &soon), ETIMEDOUT);
        EXPECT(ms_since(clocks[i], &soon) >= 0);
        RT(sem_post)(&told);
        EQUAL(f(thread, &value, clocks[i], &later), 0);
        EXPECT(value == &told);
        value = NULL;
        RT(pthread_create)(&thread, NULL, end_when_told, &told);
        RT(sem_post)(&told);
        EQUAL(f(thread, &value, clocks[i], NULL), 0);
        EXPECT(value == &told);
    }
}

typedef int cond_function(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ready;
};

static void *signal_later(void *argument)
{
    struct waiter *w = argument;
    usleep(NEAR * 1000);
    RT(pthread_mutex_lock)(&w->mutex);
    w->ready = true;
    RT(pthread_cond_signal)(&w->cond);
    RT(pthread_mutex_unlock)(&w->mutex);
    return NULL;
}

static int wait_for(struct waiter *w, cond_function *f, int clock, const struct timespec *deadline)
{
    int result = 0;
    while (!w->ready && result == 0)
        result = f(&w->cond, &w->mutex, clock, deadline);
    return result;
}

static void judge_cond_clock(cond_function *f, int clock, int own_clock)
{
    struct waiter w = {.mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP};
    pthread_condattr_t attributes;
    RT(pthread_condattr_init)(&attributes);
    RT(pthread_condattr_setclock)(&attributes, own_clock);
    RT(pthread_cond_init)(&w.cond, &attributes);
    struct timespec past = in_ms(clock, -5000), wrong = {1, -1}, soon = in_ms(clock, a_while(clock, own_clock));
    RT(pthread_mutex_lock)(&w.mutex);
    EQUAL(f(&w.cond, &w.mutex, CLOCK_BOOTTIME, &soon), EINVAL);
    EQUAL(f(&w.cond, &w.mutex, clock, &wrong), EINVAL);
    EQUAL(f(&w.cond, &w.mutex, clock, &past), ETIMEDOUT);
    EQUAL(wait_for(&w, f, clock, &soon), ETIMEDOUT);
    EXPECT(ms_since(clock, &soon) >= 0);
    pthread_t thread;
    RT(pthread_create)(&thread, NULL, signal_later, &w);
    soon = in_ms(clock, FAR);
    EQUAL(wait_for(&w, f, clock, &soon), 0);
    EXPECT(w.ready);
    EQUAL(RT(pthread_mutex_unlock)(&w.mutex), 0); /* this thread has it again */
    RT(pthread_join)(thread, NULL);
    EQUAL(RT(pthread_cond_destroy)(&w.cond), 0);
}

static void judge_cond(void *implementation)
{
    /* The polyfill reads the clock out of a pthread_cond_t of 2.29 or older, which 2.41 lays out differently. */
    const char *release = ((const char *(*)(void))runtime("gnu_get_libc_version"))();
    if (is_polyfill && strncmp(release, "2.", 2) == 0 && decimal(release + 2) > 40)
        return;
    for (int i = 0; i < 4; i++)
        judge_cond_clock(implementation, clocks[i & 1], clocks[i >> 1]);
}

/* A cancelled wait: the semaphore's and the condition's are cancellation points. */
struct cancelled {
    void *implementation;
    sem_t started, never;
};

static void *wait_for_ever(void *argument)
{
    struct cancelled *c = argument;
    struct timespec later = in_ms(CLOCK_MONOTONIC, FAR);
    RT(sem_post)(&c->started);
    ((int (*)(sem_t *, clockid_t, const struct timespec *))c->implementation)(&c->never, CLOCK_MONOTONIC, &later);
    return NULL;
}

static void judge_cancel(void *implementation)
{
    struct cancelled c = {.implementation = implementation};
    pthread_t thread;
    void *value = NULL;
    RT(sem_init)(&c.started, 0, 0);
    RT(sem_init)(&c.never, 0, 0);
    RT(pthread_create)(&thread, NULL, wait_for_ever, &c);
    RT(sem_wait)(&c.started);
    EQUAL(RT(pthread_cancel)(thread), 0);
    RT(pthread_join)(thread, &value);
    EXPECT(value == PTHREAD_CANCELED);
}

void check_waits(void)
{
    check("pthread_mutex_clocklock", judge_mutex);
    check("pthread_rwlock_clockrdlock", judge_rwlock);
    check("pthread_rwlock_clockwrlock", judge_rwlock);
    check("sem_clockwait", judge_semaphore);
    check("sem_clockwait", judge_cancel);
    check("pthread_clockjoin_np", judge_join);
    check("pthread_cond_clockwait", judge_cond);
}
