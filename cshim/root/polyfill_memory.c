/* Memory: mallinfo2 (glibc 2.33), __memcmpeq (2.35), and the functions of 2.43 about blocks and their contents. */
#include <malloc.h>
#include <string.h>

#include "polyfill.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* glibc 2.33 and later (malloc/malloc.h); declared here because older headers have none. */
struct mallinfo_wide {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

CAPSULE_IMPORT(struct mallinfo, mallinfo, (void));
CAPSULE_IMPORT(void, free, (void *));
CAPSULE_IMPORT(void *, memset, (void *, int, size_t));
CAPSULE_IMPORT(int, memcmp, (const void *, const void *, size_t));

/* The old function counts in int, which wraps: up to 4 GiB are right, more is lost. */
CAPSULE_POLYFILL(struct mallinfo_wide, mallinfo2, (void))
{
    struct mallinfo m = base_mallinfo();
    return (struct mallinfo_wide){
        (unsigned)m.arena,   (unsigned)m.ordblks, (unsigned)m.smblks,   (unsigned)m.hblks,    (unsigned)m.hblkhd,
        (unsigned)m.usmblks, (unsigned)m.fsmblks, (unsigned)m.uordblks, (unsigned)m.fordblks, (unsigned)m.keepcost,
    };
}

CAPSULE_POLYFILL(int, __memcmpeq, (const void *a, const void *b, size_t size))
{
    return base_memcmp(a, b, size);
}

CAPSULE_POLYFILL(void, free_sized, (void *block, size_t size))
{
    (void)size;
    base_free(block);
}

CAPSULE_POLYFILL(void, free_aligned_sized, (void *block, size_t alignment, size_t size))
{
    (void)alignment;
    (void)size;
    base_free(block);
}

CAPSULE_POLYFILL(size_t, memalignment, (const void *address))
{
    return (uintptr_t)address & -(uintptr_t)address;
}

CAPSULE_POLYFILL(void *, memset_explicit, (void *to, int value, size_t size))
{
    base_memset(to, value, size);
    __asm__ volatile("" : : "r"(to) : "memory");
    return to;
}

CAPSULE_POLYFILL(void *, __memset_explicit_chk, (void *to, int value, size_t size, size_t room))
{
    if (size > room)
        polyfill_chk_fail();
    return polyfill_memset_explicit(to, value, size);
}

CAPSULE_POLYFILL(int, mseal, (void *address, size_t size, unsigned long flags))
{
    return (int)sys_call(SYS_mseal, address, size, flags);
}
