/* Binding a stub: each slot holds the host library's st_value, and its load bias is all that is missing. After
 * that the stub's own .dynsym is given the same addresses, so that what is bound later (lazy binding, dlsym) goes
 * straight to the host's function; only callers that ld.so bound before this pay the extra jump. */
#include "libcapsule.h"

#include <string.h>

static void refuse(const struct capsule_dso *dso)
{
    ElfW(Addr) *slots = dso_at(dso, dso->slots);
    for (uint32_t i = 0; i < dso->symbol_count; i++)
        slots[i] = (ElfW(Addr))failure_abort;
}

/* STT_GNU_IFUNC in the host library: dlsym runs the resolver. */
static void bind_by_name(struct capsule_dso *dso, void *handle, const ElfW(Sym) *symbols, ElfW(Addr) *slots)
{
    const uint32_t *by_name = dso_at(dso, dso->by_name);
    const char *names = dso_at(dso, dso->dynstr);
    for (uint32_t n = 0; n < dso->by_name_count; n++) {
        void *address = dlsym(handle, names + symbols[by_name[n]].st_name);
        slots[by_name[n] - dso->first_symbol] = address ? (ElfW(Addr))address : (ElfW(Addr))failure_abort;
    }
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
    for (uint32_t i = 0; i < dso->symbol_count; i++)
        slots[i] += map->l_addr;
    bind_by_name(dso, handle, symbols, slots);
    for (uint32_t i = 0; i < dso->symbol_count; i++)
        symbols[dso->first_symbol + i].st_value = slots[i] - self;
    debug("stub for %s: %u symbols", map->l_name, dso->symbol_count);
    dlerror();
}
