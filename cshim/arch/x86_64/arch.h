/* What the C parts need to know of x86-64 (psABI 1.0). */
#ifndef CAPSULE_ARCH_H
#define CAPSULE_ARCH_H

#include <elf.h>
#include <link.h>

#define ARCH_ELF_CLASS ELFCLASS64
#define ARCH_ELF_MACHINE EM_X86_64

/* Relocations of functions that an object imports. */
typedef Elf64_Rela arch_rel;
#define ARCH_DT_REL DT_RELA
#define ARCH_DT_RELSZ DT_RELASZ
#define ARCH_R_TYPE ELF64_R_TYPE
#define ARCH_R_SYM ELF64_R_SYM
#define ARCH_R_JUMP_SLOT R_X86_64_JUMP_SLOT
#define ARCH_R_GLOB_DAT R_X86_64_GLOB_DAT

/* glibc calls IFUNC resolvers without arguments here (sysdeps/x86_64/dl-irel.h). */
static inline ElfW(Addr) arch_call_ifunc(ElfW(Addr) resolver)
{
    return ((ElfW(Addr)(*)(void))resolver)();
}

#endif
