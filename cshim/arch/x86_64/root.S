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

/* GNU_PROPERTY_X86_FEATURE_1_IBT and _SHSTK: the link editor marks the whole object only where each
 * part says so. */
        .section .note.gnu.property, "a", @note
        .p2align 3
        .long   4, 16, 5                /* sizes of name and descriptor, NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0     /* GNU_PROPERTY_X86_FEATURE_1_AND, size, IBT and SHSTK, padding */
