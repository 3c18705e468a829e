/*
 * Where the kernel or ld.so starts the program. The C library's own (crt1.o) asks for the version of __libc_start_main that it
 * was built with; this one takes the oldest, and leaves constructors out, of which there are none. In all releases a NULL for
 * those is allowed (csu/libc-start.c).
 */
#include "scene.h"

int main(int argc, char **argv);
int __libc_start_main(int (*program)(int, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
              void (*rtld_fini)(void), void *stack_end);

/* The stack as the psABIs have it at the entry: argc, argv. at_exit is ld.so's, for atexit. */
__attribute__((used)) _Noreturn void start_c(long *stack, void (*at_exit)(void));
_Noreturn void start_c(long *stack, void (*at_exit)(void))
{
    __libc_start_main(main, (int)stack[0], (char **)(stack + 1), NULL, NULL, at_exit, stack);
    __builtin_trap();
}

#if defined __x86_64__ /* rsp: the stack; rdx: at_exit */
__asm__(".globl _start\n.type _start, %function\n_start:\n"
    "xorl %ebp, %ebp\n"
    "movq %rsp, %rdi\n"
    "movq %rdx, %rsi\n"
    "andq $-16, %rsp\n"
    "call start_c\n");
#elif defined __i386__ /* esp, edx */
__asm__(".globl _start\n.type _start, %function\n_start:\n"
    "xorl %ebp, %ebp\n"
    "movl %esp, %eax\n"
    "andl $-16, %esp\n"
    "subl $8, %esp\n"
    "pushl %edx\n"
    "pushl %eax\n"
    "call start_c\n");
#elif defined __aarch64__ /* sp, x0 */
__asm__(".globl _start\n.type _start, %function\n_start:\n"
    "bti j\n"
    "mov x29, #0\n"
    "mov x30, #0\n"
    "mov x1, x0\n"
    "mov x0, sp\n"
    "bl start_c\n");
#else
#error "an architecture without an entry point"
#endif
