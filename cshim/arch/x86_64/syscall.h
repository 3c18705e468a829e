/* System calls on x86-64 (psABI 1.0, A.2.1): number and result in rax, arguments in rdi, rsi, rdx, r10, r8, r9; rcx
 * and r11 are lost. The result is the kernel's: -errno on failure. */
#ifndef CAPSULE_ARCH_SYSCALL_H
#define CAPSULE_ARCH_SYSCALL_H

#include <sys/syscall.h>

static inline long arch_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* fork, with *tid as the child's own TID and the address the kernel clears when the child ends. Order of clone's
 * arguments here: flags, stack, parent's TID, child's TID, TLS. */
static inline long arch_fork(unsigned long flags, int *tid)
{
    return arch_syscall(SYS_clone, (long)flags, 0, 0, (long)tid, 0, 0);
}

/* clone with a stack for the child, which runs child(argument) and never returns. stack_top is a multiple of 16.
 * The runtime's clone would do, but before glibc 2.25 it wrote to the caller's cached TID with CLONE_VM. */
static inline long arch_clone_child(unsigned long flags, void *stack_top, int *pidfd,
                                    void (*child)(void *), void *argument)
{
    long result;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t" /* psABI 3.4.1: the outermost frame */
                     "movq %[argument], %%rdi\n\t"
                     "call *%[child]\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "0"((long)SYS_clone), "D"(flags), "S"(stack_top), "d"(pidfd), "r"(r10), "r"(r8),
                       [child] "r"(child), [argument] "r"(argument)
                     : "rcx", "r11", "memory");
    return result;
}

#endif
