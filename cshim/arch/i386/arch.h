/* What the C parts need to know of i386 (System V psABI, Intel386 supplement 1.1). */
#ifndef CAPSULE_ARCH_H
#define CAPSULE_ARCH_H

#include <elf.h>
#include <link.h>

#define ARCH_ELF_CLASS ELFCLASS32
#define ARCH_ELF_MACHINE EM_386

/* Relocations of functions that an object imports. */
typedef Elf32_Rel arch_rel;
#define ARCH_DT_REL DT_REL
#define ARCH_DT_RELSZ DT_RELSZ
#define ARCH_R_TYPE ELF32_R_TYPE
#define ARCH_R_SYM ELF32_R_SYM
#define ARCH_R_JUMP_SLOT R_386_JMP_SLOT
#define ARCH_R_GLOB_DAT R_386_GLOB_DAT

/* glibc calls IFUNC resolvers without arguments here (sysdeps/i386/dl-irel.h). */
static inline ElfW(Addr) arch_call_ifunc(ElfW(Addr) resolver)
{
    return ((ElfW(Addr)(*)(void))resolver)();
}

#endif
