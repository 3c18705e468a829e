/* dlsym and dlvsym as the capsule sees them. With RTLD_NEXT glibc takes the calling object from the return address
 * (elf/dl-sym.c, _dl_sym), so the real function must be entered with the driver's own return address in x30: a jump,
 * not a call. Everything else goes to C. x16 is for such veneers (AAPCS64, 6.1.1), and a branch by it may end at any
 * landing pad of a function. */
        .text

        .macro  dlsym_wrapper name, real, in_c
        .globl  override$\name
        .type   override$\name, %function
        .p2align 4
override$\name:
        .cfi_startproc
        hint    34                      /* bti c */
        cmn     x0, #1                  /* RTLD_NEXT */
        b.eq    1f
        b       \in_c
1:      adrp    x16, \real
        ldr     x16, [x16, :lo12:\real]
        br      x16
        .cfi_endproc
        .size   override$\name, . - override$\name
        .endm

        dlsym_wrapper dlsym, base_dlsym, root_dlsym
        dlsym_wrapper dlvsym, base_dlvsym, root_dlvsym

        .section .note.GNU-stack, "", %progbits

/* GNU_PROPERTY_AARCH64_FEATURE_1_BTI: the link editor marks the whole object only where each part says so. */
        .section .note.gnu.property, "a", %note
        .p2align 3
        .word   4, 16, 5                /* sizes of name and descriptor, NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0     /* GNU_PROPERTY_AARCH64_FEATURE_1_AND, size, BTI, padding */
