/* Threads: what glibc 2.30 to 2.42 added besides the waits in polyfill_clock.c. */
#include <pthread.h>
#include <signal.h>

#include "polyfill.h"

CAPSULE_IMPORT(int, pthread_getcpuclockid, (pthread_t, clockid_t *));

/* Always right: 0 says that there may be several threads (glibc 2.32, sys/single_threaded.h). */
CAPSULE_POLYFILL_DATA(char, __libc_single_threaded, 0);

/* Restartable sequences (2.35, sys/rseq.h). A size of 0 says that glibc registered none. */
CAPSULE_POLYFILL_DATA(ptrdiff_t, __rseq_offset, 0);
CAPSULE_POLYFILL_DATA(unsigned, __rseq_size, 0);
CAPSULE_POLYFILL_DATA(unsigned, __rseq_flags, 0);

CAPSULE_POLYFILL(pid_t, gettid, (void))
{
    return (pid_t)sys_raw(SYS_gettid);
}

CAPSULE_POLYFILL(int, tgkill, (pid_t process, pid_t thread, int signal))
{
    return (int)sys_call(SYS_tgkill, process, thread, signal);
}

/* The CPU clock of a thread has its TID in it: ~tid << 3 | flags (Linux, include/linux/posix-timers.h). */
CAPSULE_POLYFILL(pid_t, pthread_gettid_np, (pthread_t thread))
{
    clockid_t clock;
    int (*getcpuclockid)(pthread_t, clockid_t *) = LATE(LIBPTHREAD, pthread_getcpuclockid);
    if (!getcpuclockid || getcpuclockid(thread, &clock))
        return -1;
    pid_t tid = ~(clock >> 3);
    return tid > 0 ? tid : -1;
}

/* A runtime before 2.32 has no room for a signal mask in pthread_attr_t, and its pthread_create would not look at
 * one. ENOSYS is honest; an attribute without a mask is what getsigmask_np reports (-1: PTHREAD_ATTR_NO_SIGMASK_NP). */
CAPSULE_POLYFILL(int, pthread_attr_setsigmask_np, (pthread_attr_t * attributes, const sigset_t *mask))
{
    (void)attributes;
    return mask ? ENOSYS : 0; /* NULL takes the mask away */
}

CAPSULE_POLYFILL(int, pthread_attr_getsigmask_np, (const pthread_attr_t *attributes, sigset_t *mask))
{
    (void)attributes;
    for (size_t i = 0; i < sizeof mask->__val / sizeof mask->__val[0]; i++)
        mask->__val[i] = 0;
    return -1;
}
