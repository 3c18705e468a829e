/* Unwinding inside the capsule. Exceptions of the host's C++ code are unwound by the host's libgcc_s, which since
 * GCC 12 asks _dl_find_object (glibc 2.35) and before that dl_iterate_phdr. Frames of both namespaces lie on one
 * stack (a comparator of the driver's below the runtime's qsort), so both answers must cover both: with the base
 * namespace alone each exception of a driver would end in std::terminate. */
#include <dlfcn.h>
#include <link.h>

#include "root.h"

CAPSULE_IMPORT(int, dl_iterate_phdr, (int (*)(struct dl_phdr_info *, size_t, void *), void *));

/* glibc takes the namespace from the caller's address, which is here: the capsule. The volatile keeps the call from
 * becoming a tail call, whose caller would be somebody else. */
int root_iterate_capsule(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    volatile int result = base_dl_iterate_phdr(callback, data);
    return result;
}

CAPSULE_OVERRIDE(int, dl_iterate_phdr, (int (*callback)(struct dl_phdr_info *, size_t, void *), void *data))
{
    int result = root_iterate_capsule(callback, data);
    return result ? result : base()->iterate_base(callback, data);
}

/* struct dl_find_object of glibc 2.35 (dlfcn/dlfcn.h), declared here because older headers have none. */
struct found_object {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame; /* what PT_GNU_EH_FRAME points at */
#ifdef __i386__
    void *eh_dbase; /* DT_PLTGOT: what DW_EH_PE_datarel is relative to */
    unsigned eh_dbase_pad;
#endif
    unsigned long long reserved[7];
};

struct search {
    ElfW(Addr) address;
    struct found_object *result;
    const ElfW(Dyn) *dynamic;
};

#ifdef __i386__
/* ld.so has added the load bias to the addresses in the dynamic section. */
static void *data_base(const ElfW(Dyn) *dynamic)
{
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag == DT_PLTGOT)
            return (void *)dynamic->d_un.d_ptr;
    return NULL;
}
#endif

static int contains(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct search *search = data;
    ElfW(Addr) start = ~(ElfW(Addr))0, end = 0, eh_frame = 0;
    bool found = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        ElfW(Addr) at = info->dlpi_addr + phdr->p_vaddr;
        if (phdr->p_type == PT_GNU_EH_FRAME)
            eh_frame = at;
        if (phdr->p_type == PT_DYNAMIC)
            search->dynamic = (const void *)at;
        if (phdr->p_type != PT_LOAD)
            continue;
        if (search->address - at < phdr->p_memsz)
            found = true;
        if (at < start)
            start = at;
        if (at + phdr->p_memsz > end)
            end = at + phdr->p_memsz;
    }
    if (!found)
        return 0;
    search->result->map_start = (void *)start;
    search->result->map_end = (void *)end;
    search->result->eh_frame = (void *)eh_frame;
    return 1;
}

CAPSULE_POLYFILL(int, _dl_find_object, (void *address, struct found_object *result))
{
    struct search search = {(ElfW(Addr))address, result, NULL};
    *result = (struct found_object){0};
    if (!override_dl_iterate_phdr(contains, &search))
        return -1;
#ifdef __i386__
    result->eh_dbase = data_base(search.dynamic);
#endif
    /* link_map stays NULL: libgcc does not read it, and dladdr1 would walk a whole symbol table for each frame. */
    return 0;
}
