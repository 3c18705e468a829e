/* System calls (arch/x86/entry/entry_32.S): number and result in eax, arguments in ebx, ecx, edx, esi, edi, ebp;
 * nothing else is lost. The functions are described in syscall.h; their own arguments are on the stack. */
#include <sys/syscall.h>

        .text

        .macro  keep register
        pushl   %\register
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset \register, 0
        .endm

        .macro  give_back register
        popl    %\register
        .cfi_adjust_cfa_offset -4
        .cfi_restore \register
        .endm

        .globl  arch_syscall
        .hidden arch_syscall
        .type   arch_syscall, @function
        .p2align 4
arch_syscall:
        .cfi_startproc
        keep    ebp
        keep    edi
        keep    esi
        keep    ebx
        movl    20(%esp), %eax
        movl    24(%esp), %ebx
        movl    28(%esp), %ecx
        movl    32(%esp), %edx
        movl    36(%esp), %esi
        movl    40(%esp), %edi
        movl    44(%esp), %ebp
        int     $0x80
        give_back ebx
        give_back esi
        give_back edi
        give_back ebp
        ret
        .cfi_endproc
        .size   arch_syscall, . - arch_syscall

        .globl  arch_clone_child
        .hidden arch_clone_child
        .type   arch_clone_child, @function
        .p2align 4
arch_clone_child:
        .cfi_startproc
        keep    edi
        keep    esi
        keep    ebx
        movl    16(%esp), %ebx          /* flags */
        movl    20(%esp), %ecx          /* the child's stack, with its argument where a caller puts it */
        movl    32(%esp), %eax
        subl    $16, %ecx
        movl    %eax, (%ecx)
        movl    24(%esp), %edx          /* pidfd, in the place of the parent's TID */
        xorl    %esi, %esi
        movl    28(%esp), %edi          /* child: without a flag for it the kernel ignores this register */
        movl    $SYS_clone, %eax
        int     $0x80
        testl   %eax, %eax
        jz      1f
        .cfi_remember_state
        give_back ebx
        give_back esi
        give_back edi
        ret
        .cfi_restore_state
1:      .cfi_undefined eip
        xorl    %ebp, %ebp              /* the outermost frame */
        call    *%edi
        ud2
        .cfi_endproc
        .size   arch_clone_child, . - arch_clone_child

        .section .note.GNU-stack, "", @progbits
