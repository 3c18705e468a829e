/* What the C parts need to know of AArch64 (ELF for the Arm 64-bit Architecture, 2024Q3). */
#ifndef CAPSULE_ARCH_H
#define CAPSULE_ARCH_H

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#define ARCH_ELF_CLASS ELFCLASS64
#define ARCH_ELF_MACHINE EM_AARCH64

/* Relocations of functions that an object imports. */
typedef Elf64_Rela arch_rel;
#define ARCH_DT_REL DT_RELA
#define ARCH_DT_RELSZ DT_RELASZ
#define ARCH_R_TYPE ELF64_R_TYPE
#define ARCH_R_SYM ELF64_R_SYM
#define ARCH_R_JUMP_SLOT R_AARCH64_JUMP_SLOT
#define ARCH_R_GLOB_DAT R_AARCH64_GLOB_DAT

/* IFUNC resolvers get what the kernel says of the processor, and where a flag says so a pointer to all of it
 * (sysdeps/aarch64/dl-irel.h, elf_ifunc_invoke; <sys/ifunc.h>). size tells a resolver how many words there are. */
static inline ElfW(Addr) arch_call_ifunc(ElfW(Addr) resolver)
{
    const uint64_t has_argument = (uint64_t)1 << 62; /* _IFUNC_ARG_HWCAP */
    struct {
        unsigned long size, hwcap, hwcap2;
    } argument = {sizeof argument, getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
    return ((ElfW(Addr)(*)(uint64_t, const void *))resolver)(argument.hwcap | has_argument, &argument);
}

#endif
