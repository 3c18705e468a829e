/* AddressSanitizer for the capsule root, which can need no library: not even libasan. The compiler calls these functions
 * before each access (-fsanitize=kernel-address, with calls instead of inline code). They look at the shadow memory of the
 * libasan in the base namespace, which tests preload, and which makes the report. Elsewhere this file is empty.
 */
#ifdef CAPSULE_ASAN
#include "root.h"

CAPSULE_IMPORT(void, __asan_poison_memory_region, (void const volatile *, size_t));
CAPSULE_IMPORT(void, __asan_unpoison_memory_region, (void const volatile *, size_t));
CAPSULE_IMPORT(void, __asan_report_load_n, (uintptr_t address, size_t size));
CAPSULE_IMPORT(void, __asan_report_store_n, (uintptr_t address, size_t size));

#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize("kernel-address")))

/* A byte of shadow tells of 8 bytes how many may be used: 0 for all of them, k < 8 for the first k, negative for none.
 * Where it is: libasan's constant for x86-64 on Linux (compiler-rt, asan_mapping.h). */
#define SHADOW(address) ((const signed char *)(((address) >> 3) + 0x7fff8000))

UNCHECKED static bool is_bad(uintptr_t first, size_t size)
{
    for (uintptr_t byte = first; byte < first + size; byte += 8 - byte % 8) {
        uintptr_t last = byte | 7;
        if (last >= first + size)
            last = first + size - 1;
        signed char usable = *SHADOW(byte);
        if (usable && (signed char)(last & 7) >= usable)
            return true;
    }
    return false;
}

#define ACCESS(kind, size)                                                  \
    UNCHECKED void __asan_##kind##size(uintptr_t address);                  \
    UNCHECKED void __asan_##kind##size(uintptr_t address)                   \
    {                                                                       \
        if (base___asan_report_##kind##_n && is_bad(address, size))         \
            base___asan_report_##kind##_n(address, size);                   \
    }
#define ACCESSES(kind)                                                      \
    ACCESS(kind, 1)                                                         \
    ACCESS(kind, 2)                                                         \
    ACCESS(kind, 4)                                                         \
    ACCESS(kind, 8)                                                         \
    ACCESS(kind, 16)                                                        \
    UNCHECKED void __asan_##kind##N(uintptr_t address, size_t size);        \
    UNCHECKED void __asan_##kind##N(uintptr_t address, size_t size)         \
    {                                                                       \
        if (size && base___asan_report_##kind##_n && is_bad(address, size)) \
            base___asan_report_##kind##_n(address, size);                   \
    }

ACCESSES(load)
ACCESSES(store)

void root_red_zone(void *at, size_t size, bool on)
{
    if (base___asan_poison_memory_region)
        (on ? base___asan_poison_memory_region : base___asan_unpoison_memory_region)(at, size);
}

/* A call of a function that does not return: only the stack's shadow would need it, and the stack is not checked. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}
#endif
