/* Binding a stub: each slot holds the host library's st_value, and its load bias is all that is
 * missing. After that the stub's own .dynsym is given the same addresses, so that what is bound
 * later (lazy binding, dlsym) goes straight to the host's function; only callers that ld.so bound
 * before this pay the extra jump. A host library that is not the planned one is bound by name. */
#include "libcapsule.h"

#include <elf.h>

static void refuse(struct capsule_dso *dso)
{
    ElfW(Addr) *slots = dso_at(dso, dso->slots);
    for (uint32_t i = 0; i < dso->symbol_count; i++)
        slots[i] = (ElfW(Addr))failure_abort;
    dso_seal(dso);
}

static void bind_by_name(struct capsule_dso *dso, const struct link_map *map, void *handle, uint32_t index)
{
    ElfW(Sym) *symbol = (ElfW(Sym) *)dso_at(dso, dso->dynsym) + index;
    ElfW(Addr) *slot = (ElfW(Addr) *)dso_at(dso, dso->slots) + (index - dso->first_symbol);
    const char *name = (const char *)dso_at(dso, dso->dynstr) + symbol->st_name;
    void *address = lookup(handle, name, symbol_version(dso, index));
    *slot = (ElfW(Addr))address;
    if (address)
        return;
    failure_set("%s is not the file that the capsule was built for, and has no %s", map->l_name, name);
    *slot = (ElfW(Addr))failure_abort;
}

void capsule_stub_init(struct capsule_dso *dso)
{
    if (dso->abi != CAPSULE_ABI_VERSION || dso->bound)
        return;
    dso->bound = 1;
    void *handle = capsule_is_up() ? object_open(dso->object) : NULL;
    struct link_map *map = NULL;
    if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) || !map) {
        refuse(dso);
        return;
    }
    ElfW(Addr) self = (ElfW(Addr))dso - (ElfW(Addr))dso->base;
    ElfW(Sym) *symbols = dso_at(dso, dso->dynsym);
    ElfW(Addr) *slots = dso_at(dso, dso->slots);
    if (loaded_as_planned(map, manifest_object(dso->object), iterate_capsule)) {
        for (uint32_t i = 0; i < dso->symbol_count; i++)
            slots[i] += map->l_addr;
        const uint32_t *by_name = dso_at(dso, dso->by_name); /* STT_GNU_IFUNC: a look-up runs the resolver */
        for (uint32_t n = 0; n < dso->by_name_count; n++)
            bind_by_name(dso, map, handle, by_name[n]);
    } else {
        for (uint32_t i = 0; i < dso->symbol_count; i++)
            bind_by_name(dso, map, handle, dso->first_symbol + i);
    }
    for (uint32_t i = 0; i < dso->symbol_count; i++) {
        ElfW(Sym) *symbol = &symbols[dso->first_symbol + i];
        bool missing = slots[i] == (ElfW(Addr))failure_abort; /* look-ups go past it */
        symbol->st_value = missing ? 0 : slots[i] - self;
        if (missing)
            symbol->st_shndx = SHN_UNDEF;
    }
    dso_seal(dso);
    debug("stub for %s: %u symbols", map->l_name, dso->symbol_count);
    dlerror();
}
