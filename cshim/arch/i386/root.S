/* dlsym and dlvsym as the capsule sees them. With RTLD_NEXT glibc takes the calling object from the return address
 * (elf/dl-sym.c, _dl_sym), so the real function must be entered with the driver's own return address on the
 * stack: a jump, not a call. Everything else goes to C. All arguments are on the stack, so ecx is free. */
        .text

        .type   own_address, @function
own_address:
        movl    (%esp), %ecx
        ret
        .size   own_address, . - own_address

        .macro  dlsym_wrapper name, real, in_c
        .globl  override$\name
        .type   override$\name, @function
        .p2align 4
override$\name:
        .cfi_startproc
        cmpl    $-1, 4(%esp)            /* RTLD_NEXT */
        jne     \in_c
        call    own_address
1:      jmp     *\real - 1b(%ecx)
        .cfi_endproc
        .size   override$\name, . - override$\name
        .endm

        dlsym_wrapper dlsym, base_dlsym, root_dlsym
        dlsym_wrapper dlvsym, base_dlvsym, root_dlvsym

        .section .note.GNU-stack, "", @progbits
