/* System calls on AArch64 (arch/arm64/kernel/entry.S): number in x8, arguments and result in x0 to x5; nothing else is
 * lost. The result is the kernel's: -errno on failure. */
#ifndef CAPSULE_ARCH_SYSCALL_H
#define CAPSULE_ARCH_SYSCALL_H

#include <sys/syscall.h>

static inline long arch_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

/* fork, with *tid as the child's own TID and the address the kernel clears when the child ends. Order of clone's
 * arguments here: flags, stack, parent's TID, TLS, child's TID. */
static inline long arch_fork(unsigned long flags, int *tid)
{
    return arch_syscall(SYS_clone, (long)flags, 0, 0, 0, (long)tid, 0);
}

/* clone with a stack for the child, which runs child(argument) and never returns. stack_top is a multiple of 16.
 * The runtime's clone would do, but before glibc 2.25 it wrote to the caller's cached TID with CLONE_VM. */
static inline long arch_clone_child(unsigned long flags, void *stack_top, int *pidfd,
                                    void (*child)(void *), void *argument)
{
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = (long)flags;
    register void *x1 __asm__("x1") = stack_top;
    register int *x2 __asm__("x2") = pidfd; /* in the place of the parent's TID */
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;
    register void (*x5)(void *) __asm__("x5") = child;
    register void *x6 __asm__("x6") = argument;
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t" /* AAPCS64, 6.4.6: the outermost frame record */
                     "mov x30, #0\n\t"
                     "mov x0, x6\n\t"
                     "blr x5\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x6)
                     : "memory", "cc");
    return x0;
}

#endif
