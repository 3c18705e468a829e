/* Waits with a deadline on a clock of the caller's choice (glibc 2.30, pthread_clockjoin_np 2.31). The runtime's
 * older functions wait on one clock only: the deadline is converted, for at most a slice of time, and judged by the
 * clock that was asked for. A step of the other clock thus delays a wake-up by no more than a slice. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "polyfill.h"

#define SLICE_SECONDS 1
#define SECOND 1000000000L /* in nanoseconds */

CAPSULE_IMPORT(int, clock_gettime, (clockid_t, struct timespec *));
CAPSULE_IMPORT(int, pthread_cond_timedwait, (pthread_cond_t *, pthread_mutex_t *, const struct timespec *));
CAPSULE_IMPORT(int, pthread_mutex_timedlock, (pthread_mutex_t *, const struct timespec *));
CAPSULE_IMPORT(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *, const struct timespec *));
CAPSULE_IMPORT(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *, const struct timespec *));
CAPSULE_IMPORT(int, sem_timedwait, (sem_t *, const struct timespec *));
CAPSULE_IMPORT(int, pthread_timedjoin_np, (pthread_t, void **, const struct timespec *));
CAPSULE_IMPORT(int, pthread_join, (pthread_t, void **));

static bool clock_supported(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

static bool nanoseconds_valid(const struct timespec *t)
{
    return t->tv_nsec >= 0 && t->tv_nsec < SECOND;
}

/* Converts a deadline on one clock into the end of the next slice on another. False: the deadline is past (then to
 * is now, with which the runtime's functions still take what they can have without waiting). */
static bool next_slice(clockid_t clock, const struct timespec *deadline, clockid_t other, struct timespec *to)
{
    struct timespec now;
    base_clock_gettime(clock, &now);
    base_clock_gettime(other, to);
    if (now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec))
        return false;
    if (deadline->tv_sec - now.tv_sec > SLICE_SECONDS) {
        to->tv_sec += SLICE_SECONDS;
        return true;
    }
    to->tv_sec += deadline->tv_sec - now.tv_sec;
    to->tv_nsec += deadline->tv_nsec - now.tv_nsec;
    if (to->tv_nsec < 0)
        to->tv_nsec += SECOND, to->tv_sec--;
    else if (to->tv_nsec >= SECOND)
        to->tv_nsec -= SECOND, to->tv_sec++;
    return true;
}

/* Repeats a wait on CLOCK_REALTIME, slice by slice, until it ends otherwise than by time or the deadline on
 * CLOCK_MONOTONIC is past. wait is an expression in slice. */
#define WAIT_IN_SLICES(deadline, slice, wait)                                            \
    ({                                                                                   \
        struct timespec slice;                                                           \
        int result_;                                                                     \
        bool more_;                                                                      \
        do {                                                                             \
            more_ = next_slice(CLOCK_MONOTONIC, deadline, CLOCK_REALTIME, &slice);       \
            result_ = (wait);                                                            \
        } while (result_ == ETIMEDOUT && more_);                                         \
        result_;                                                                         \
    })

/* The deadline's nanoseconds are only looked at when there is something to wait for. */
CAPSULE_POLYFILL(int, pthread_mutex_clocklock,
                 (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *deadline))
{
    int (*timedlock)(pthread_mutex_t *, const struct timespec *) = LATE(LIBPTHREAD, pthread_mutex_timedlock);
    if (!clock_supported(clock))
        return EINVAL;
    if (!timedlock)
        return ENOSYS;
    if (clock == CLOCK_REALTIME || !nanoseconds_valid(deadline))
        return timedlock(mutex, deadline);
    return WAIT_IN_SLICES(deadline, slice, timedlock(mutex, &slice));
}

#define RWLOCK(name, older)                                                                              \
    CAPSULE_POLYFILL(int, name, (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *deadline)) \
    {                                                                                                    \
        int (*timed)(pthread_rwlock_t *, const struct timespec *) = LATE(LIBPTHREAD, older);             \
        if (!clock_supported(clock) || !nanoseconds_valid(deadline))                                     \
            return EINVAL;                                                                               \
        if (!timed)                                                                                      \
            return ENOSYS;                                                                               \
        if (clock == CLOCK_REALTIME)                                                                     \
            return timed(lock, deadline);                                                                \
        return WAIT_IN_SLICES(deadline, slice, timed(lock, &slice));                                     \
    }

RWLOCK(pthread_rwlock_clockrdlock, pthread_rwlock_timedrdlock)
RWLOCK(pthread_rwlock_clockwrlock, pthread_rwlock_timedwrlock)

CAPSULE_POLYFILL(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec *deadline))
{
    int (*timedwait)(sem_t *, const struct timespec *) = LATE(LIBPTHREAD, sem_timedwait);
    if (!clock_supported(clock) || !nanoseconds_valid(deadline))
        return set_errno(EINVAL);
    if (!timedwait)
        return set_errno(ENOSYS);
    if (clock == CLOCK_REALTIME)
        return timedwait(semaphore, deadline);
    int error = WAIT_IN_SLICES(deadline, slice, timedwait(semaphore, &slice) ? *root_errno() : 0);
    return error ? set_errno(error) : 0;
}

CAPSULE_POLYFILL(int, pthread_clockjoin_np,
                 (pthread_t thread, void **value, clockid_t clock, const struct timespec *deadline))
{
    int (*timedjoin)(pthread_t, void **, const struct timespec *) = LATE(LIBPTHREAD, pthread_timedjoin_np);
    int (*join)(pthread_t, void **) = LATE(LIBPTHREAD, pthread_join);
    if (!clock_supported(clock) || (deadline && !nanoseconds_valid(deadline)))
        return EINVAL;
    if (!timedjoin || !join)
        return ENOSYS;
    if (!deadline)
        return join(thread, value);
    if (clock == CLOCK_REALTIME)
        return timedjoin(thread, value, deadline);
    return WAIT_IN_SLICES(deadline, slice, timedjoin(thread, value, &slice));
}

/* The clock that pthread_condattr_setclock gave a condition variable has no accessor. Since 2.25 it is bit 1 of
 * __wrefs (nptl/pthread_cond_common.c), before that bit 0 of __nwaiters (COND_NWAITERS_SHIFT); both unchanged for as
 * long as this polyfill is needed, that is up to 2.29. */
static clockid_t clock_of(pthread_cond_t *cond)
{
    const struct {
        uint64_t wseq, g1_start;
        unsigned g_refs[2], g_size[2], g1_orig_size, wrefs, g_signals[2];
    } *since_2_25 = (const void *)cond;
    const struct {
        int lock;
        unsigned futex;
        uint64_t total, wakeup, woken;
        void *mutex;
        unsigned waiters, broadcasts;
    } *before = (const void *)cond;
    unsigned bit = polyfill_glibc_before(25)
                       ? __atomic_load_n(&before->waiters, __ATOMIC_RELAXED) & 1
                       : __atomic_load_n(&since_2_25->wrefs, __ATOMIC_RELAXED) & 2;
    return bit ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

/* One slice only: the end of a slice before the deadline is a spurious wake-up. To wait on without returning would
 * lose a signal sent while this thread was re-taking the mutex. */
CAPSULE_POLYFILL(int, pthread_cond_clockwait,
                 (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline))
{
    int (*timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) =
        LATE(LIBPTHREAD, pthread_cond_timedwait);
    if (!clock_supported(clock) || !nanoseconds_valid(deadline))
        return EINVAL;
    if (!timedwait)
        return ENOSYS;
    clockid_t native = clock_of(cond);
    if (clock == native)
        return timedwait(cond, mutex, deadline);
    struct timespec slice;
    bool more = next_slice(clock, deadline, native, &slice);
    int result = timedwait(cond, mutex, &slice);
    return result == ETIMEDOUT && more && next_slice(clock, deadline, native, &slice) ? 0 : result;
}
