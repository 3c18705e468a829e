/* System calls on i386; syscall.S has the code, because it needs every register and unwinding must still work: a
 * thread may be cancelled in the middle of a call. Results are the kernel's: -errno on failure. A 64-bit argument
 * is two of these, the low word first. */
#ifndef CAPSULE_ARCH_SYSCALL_H
#define CAPSULE_ARCH_SYSCALL_H

#include <sys/syscall.h>

__attribute__((visibility("hidden"))) long arch_syscall(long number, long a, long b, long c, long d, long e, long f);

/* fork, with *tid as the child's own TID and the address the kernel clears when the child ends. Order of clone's
 * arguments here: flags, stack, parent's TID, TLS, child's TID. */
static inline long arch_fork(unsigned long flags, int *tid)
{
    return arch_syscall(SYS_clone, (long)flags, 0, 0, 0, (long)tid, 0);
}

/* clone with a stack for the child, which runs child(argument) and never returns. stack_top is a multiple of 16.
 * The runtime's clone would do, but before glibc 2.25 it wrote to the caller's cached TID with CLONE_VM. */
__attribute__((visibility("hidden"))) long arch_clone_child(unsigned long flags, void *stack_top, int *pidfd,
                                                            void (*child)(void *), void *argument);

#endif
