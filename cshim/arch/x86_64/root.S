/* dlsym and dlvsym as the capsule sees them. With RTLD_NEXT glibc takes the calling object from the return address
 * (elf/dl-sym.c, _dl_sym), so the real function must be entered with the driver's own return address on the
 * stack: a jump, not a call. Everything else goes to C. */
        .text

        .macro  dlsym_wrapper name, real, in_c
        .globl  override$\name
        .type   override$\name, @function
        .p2align 4
override$\name:
        .cfi_startproc
        endbr64
        cmpq    $-1, %rdi               /* RTLD_NEXT */
        jne     \in_c
        jmp     *\real(%rip)
        .cfi_endproc
        .size   override$\name, . - override$\name
        .endm

        dlsym_wrapper dlsym, base_dlsym, root_dlsym
        dlsym_wrapper dlvsym, base_dlvsym, root_dlvsym

        .section .note.GNU-stack, "", @progbits
