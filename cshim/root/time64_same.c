/* Functions whose 64-bit time names do what the old ones do: what they carry has its time in bytes that the kernel
 * fills (a socket option's number says which size), or none at all. */
#include "time64.h"

#ifdef CAPSULE_TIME64
#include <stdarg.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>

CAPSULE_IMPORT(int, fcntl, (int, int, ...));
CAPSULE_IMPORT(int, fcntl64, (int, int, ...));
CAPSULE_IMPORT(int, ioctl, (int, unsigned long, ...));
CAPSULE_IMPORT(int, prctl, (int, ...));

/* All optional arguments are words here. */
#define WORDS(n, last)                     \
    long word[n];                          \
    va_list arguments;                     \
    va_start(arguments, last);             \
    for (int i = 0; i < (n); i++)          \
        word[i] = va_arg(arguments, long); \
    va_end(arguments)

CAPSULE_POLYFILL(int, __fcntl_time64, (int fd, int command, ...))
{
    WORDS(1, command);
    return (base_fcntl64 ? base_fcntl64 : base_fcntl)(fd, command, word[0]);
}

CAPSULE_POLYFILL(int, __ioctl_time64, (int fd, unsigned long request, ...))
{
    WORDS(1, request);
    return base_ioctl(fd, request, word[0]);
}

CAPSULE_POLYFILL(int, __prctl_time64, (int option, ...))
{
    WORDS(4, option);
    return base_prctl(option, word[0], word[1], word[2], word[3]);
}

CAPSULE_IMPORT(int, getsockopt, (int, int, int, void *, socklen_t *));
CAPSULE_IMPORT(int, setsockopt, (int, int, int, const void *, socklen_t));
CAPSULE_IMPORT(ssize_t, recvmsg, (int, struct msghdr *, int));
CAPSULE_IMPORT(ssize_t, sendmsg, (int, const struct msghdr *, int));
CAPSULE_IMPORT(int, sendmmsg, (int, struct mmsghdr *, unsigned, int));

CAPSULE_POLYFILL(int, __getsockopt64, (int fd, int level, int name, void *value, socklen_t *size))
{
    return base_getsockopt(fd, level, name, value, size);
}

CAPSULE_POLYFILL(int, __setsockopt64, (int fd, int level, int name, const void *value, socklen_t size))
{
    return base_setsockopt(fd, level, name, value, size);
}

CAPSULE_POLYFILL(ssize_t, __recvmsg64, (int fd, struct msghdr *message, int flags))
{
    return base_recvmsg(fd, message, flags);
}

CAPSULE_POLYFILL(ssize_t, __sendmsg64, (int fd, const struct msghdr *message, int flags))
{
    return base_sendmsg(fd, message, flags);
}

CAPSULE_POLYFILL(int, __sendmmsg64, (int fd, struct mmsghdr *messages, unsigned count, int flags))
{
    return base_sendmmsg(fd, messages, count, flags);
}

/* System V IPC: the commands without a structure that has times in it. The others are refused. */
CAPSULE_IMPORT(int, shmctl, (int, int, void *));
CAPSULE_IMPORT(int, msgctl, (int, int, void *));
CAPSULE_IMPORT(int, semctl, (int, int, int, ...));

CAPSULE_POLYFILL(int, __shmctl64, (int id, int command, void *segment))
{
    bool plain = command == IPC_RMID || command == SHM_LOCK || command == SHM_UNLOCK;
    return plain ? base_shmctl(id, command, segment) : set_errno(ENOSYS);
}

CAPSULE_POLYFILL(int, __msgctl64, (int id, int command, void *queue))
{
    return command == IPC_RMID ? base_msgctl(id, command, queue) : set_errno(ENOSYS);
}

CAPSULE_POLYFILL(int, __semctl64, (int id, int semaphore, int command, ...))
{
    WORDS(1, command); /* union semun */
    bool plain = command == IPC_RMID || (command >= GETPID && command <= SETALL);
    return plain ? base_semctl(id, semaphore, command, word[0]) : set_errno(ENOSYS);
}
#endif
