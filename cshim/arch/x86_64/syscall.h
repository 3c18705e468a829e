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

#endif
