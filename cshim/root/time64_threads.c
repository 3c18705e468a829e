/* Waits of <pthread.h>, <semaphore.h> and <threads.h> with 64-bit time. Before glibc 2.34 these functions are in
 * libpthread; those with a clock came with 2.30 and have polyfills of their own (polyfill_clock.c). */
#include "time64.h"

#ifdef CAPSULE_TIME64
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

#define END const struct timespec *

CAPSULE_IMPORT(int, pthread_cond_timedwait, (pthread_cond_t *, pthread_mutex_t *, END));
CAPSULE_IMPORT(int, pthread_mutex_timedlock, (pthread_mutex_t *, END));
CAPSULE_IMPORT(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *, END));
CAPSULE_IMPORT(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *, END));
CAPSULE_IMPORT(int, pthread_timedjoin_np, (pthread_t, void **, END));
CAPSULE_IMPORT(int, sem_timedwait, (sem_t *, END));
CAPSULE_IMPORT(int, cnd_timedwait, (cnd_t *, mtx_t *, END));
CAPSULE_IMPORT(int, mtx_timedlock, (mtx_t *, END));
CAPSULE_IMPORT(int, thrd_sleep, (END, struct timespec *));

/* TIMED(name, missing, parameters, arguments before the end): name64 by the runtime's name; missing is the result when
 * the runtime has no such function. */
#define TIMED(name, missing, parameters, ...)                                   \
    CAPSULE_POLYFILL(int, __##name##64, parameters)                             \
    {                                                                           \
        struct timespec t;                                                      \
        typeof(base_##name) function = LATE(LIBPTHREAD, name);                  \
        return function ? function(__VA_ARGS__, narrow_end(&t, end)) : missing; \
    }

TIMED(pthread_cond_timedwait, ENOSYS,
      (pthread_cond_t * cond, pthread_mutex_t *mutex, const struct timespec64 *end), cond, mutex)
TIMED(pthread_mutex_timedlock, ENOSYS, (pthread_mutex_t * mutex, const struct timespec64 *end), mutex)
TIMED(pthread_rwlock_timedrdlock, ENOSYS, (pthread_rwlock_t * lock, const struct timespec64 *end), lock)
TIMED(pthread_rwlock_timedwrlock, ENOSYS, (pthread_rwlock_t * lock, const struct timespec64 *end), lock)
TIMED(pthread_timedjoin_np, ENOSYS, (pthread_t thread, void **value, const struct timespec64 *end), thread, value)
TIMED(sem_timedwait, set_errno(ENOSYS), (sem_t * semaphore, const struct timespec64 *end), semaphore)
TIMED(cnd_timedwait, thrd_error, (cnd_t * cond, mtx_t *mutex, const struct timespec64 *end), cond, mutex)
TIMED(mtx_timedlock, thrd_error, (mtx_t * mutex, const struct timespec64 *end), mutex)

/* -1: a signal came; less: an error. */
CAPSULE_POLYFILL(int, __thrd_sleep64, (const struct timespec64 *time, struct timespec64 *left))
{
    struct timespec t, rest;
    typeof(base_thrd_sleep) sleep = LATE(LIBPTHREAD, thrd_sleep);
    int result = sleep ? sleep(narrow_end(&t, time), &rest) : -2;
    if (result == -1 && left)
        *left = wide_timespec(rest);
    return result;
}

/* CLOCKED(name, parameters, arguments before the clock): the runtime's function where there is one. */
#define CLOCKED(name, parameters, types, ...)                                             \
    CAPSULE_IMPORT(int, name, types);                                                     \
    int polyfill_##name types __asm__("polyfill$" #name);                                 \
    CAPSULE_POLYFILL(int, __##name##64, parameters)                                       \
    {                                                                                     \
        struct timespec t;                                                                \
        typeof(base_##name) function = LATE(LIBPTHREAD, name);                            \
        return (function ? function : polyfill_##name)(__VA_ARGS__, clock, narrow_end(&t, end)); \
    }

CLOCKED(pthread_cond_clockwait,
        (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec64 *end),
        (pthread_cond_t *, pthread_mutex_t *, clockid_t, END), cond, mutex)
CLOCKED(pthread_mutex_clocklock, (pthread_mutex_t * mutex, clockid_t clock, const struct timespec64 *end),
        (pthread_mutex_t *, clockid_t, END), mutex)
CLOCKED(pthread_rwlock_clockrdlock, (pthread_rwlock_t * lock, clockid_t clock, const struct timespec64 *end),
        (pthread_rwlock_t *, clockid_t, END), lock)
CLOCKED(pthread_rwlock_clockwrlock, (pthread_rwlock_t * lock, clockid_t clock, const struct timespec64 *end),
        (pthread_rwlock_t *, clockid_t, END), lock)
CLOCKED(pthread_clockjoin_np, (pthread_t thread, void **value, clockid_t clock, const struct timespec64 *end),
        (pthread_t, void **, clockid_t, END), thread, value)
CLOCKED(sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec64 *end),
        (sem_t *, clockid_t, END), semaphore)
#endif
