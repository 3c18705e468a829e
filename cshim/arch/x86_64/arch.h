/* What the C parts need to know of x86-64 (psABI 1.0). */
#ifndef CAPSULE_ARCH_H
#define CAPSULE_ARCH_H

#include <link.h>

/* glibc calls IFUNC resolvers without arguments here (sysdeps/x86_64/dl-irel.h). */
static inline ElfW(Addr) arch_call_ifunc(ElfW(Addr) resolver)
{
    return ((ElfW(Addr)(*)(void))resolver)();
}

#endif
