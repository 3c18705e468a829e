/* Filling a proxy: its symbol table arrives with values relative to the library named by st_shndx, and leaves with
 * values relative to the proxy's own load bias, so that ld.so's "l_addr + st_value" is the address of the one
 * instance in the base namespace. Runs in the proxy's DT_INIT: before that no object can be bound to it, because
 * dependants are opened after it. */
#include "libcapsule.h"

#include <elf.h>
#include <string.h>

#include "arch.h"

#define MAX_SOURCES 24

#if __ELF_NATIVE_CLASS == 64
#define SYM_TYPE ELF64_ST_TYPE
#define SYM_INFO(s, type) ELF64_ST_INFO(ELF64_ST_BIND((s)->st_info), type)
#else
#define SYM_TYPE ELF32_ST_TYPE
#define SYM_INFO(s, type) ELF32_ST_INFO(ELF32_ST_BIND((s)->st_info), type)
#endif

const char *symbol_version(const struct capsule_dso *dso, uint32_t index)
{
    if (!dso->versym)
        return NULL;
    unsigned version = ((const uint16_t *)dso_at(dso, dso->versym))[index] & 0x7fff;
    const char *verdef = dso_at(dso, dso->verdef);
    for (;;) {
        const ElfW(Verdef) *definition = (const void *)verdef;
        if (definition->vd_ndx == version && !(definition->vd_flags & VER_FLG_BASE)) {
            const ElfW(Verdaux) *name = (const void *)(verdef + definition->vd_aux);
            return (const char *)dso_at(dso, dso->dynstr) + name->vda_name;
        }
        if (!definition->vd_next)
            return NULL;
        verdef += definition->vd_next;
    }
}

void *lookup_exactly(void *handle, const char *name, const char *version)
{
    return version ? dlvsym(handle, name, version) : dlsym(handle, name);
}

void *lookup(void *handle, const char *name, const char *version)
{
    void *address = lookup_exactly(handle, name, version);
    return address ? address : dlsym(handle, name);
}

static void set(ElfW(Sym) *symbol, ElfW(Addr) self, ElfW(Addr) address)
{
    if (SYM_TYPE(symbol->st_info) == STT_GNU_IFUNC)
        symbol->st_info = (unsigned char)SYM_INFO(symbol, STT_FUNC);
    symbol->st_value = address - self;
    symbol->st_shndx = CAPSULE_SHN_SELF;
}

/* malloc and its family, and data that a program may have copy-relocated (environ, stdout): what the process uses
 * is what the base namespace's global scope says, be it the game, an LD_PRELOAD or libc itself. */
static void prefer_global_scope(struct capsule_dso *dso, ElfW(Sym) *symbols, ElfW(Addr) self)
{
    const uint32_t *by_name = dso_at(dso, dso->by_name);
    const char *names = dso_at(dso, dso->dynstr);
    for (uint32_t n = 0; n < dso->by_name_count; n++) {
        ElfW(Sym) *symbol = &symbols[by_name[n]];
        const char *name = names + symbol->st_name;
        void *address;
        if (SYM_TYPE(symbol->st_info) == STT_OBJECT)
            address = lookup_exactly(RTLD_DEFAULT, name, symbol_version(dso, by_name[n]));
        else
            address = dlsym(RTLD_DEFAULT, name);
        if (address)
            set(symbol, self, (ElfW(Addr))address);
    }
}

void capsule_proxy_init(struct capsule_dso *dso)
{
    const struct capsule_object *object = manifest_object(dso->object);
    if (dso->abi != CAPSULE_ABI_VERSION || !object || dso->bound)
        return;
    dso->bound = 1;
    struct base_library sources[MAX_SOURCES] = {0};
    uint32_t source_count = object->sources.count < MAX_SOURCES ? object->sources.count : MAX_SOURCES;
    for (uint32_t n = 0; n < source_count; n++) {
        const struct capsule_object *source = manifest_object(manifest_index(object->sources, n));
        if (!source)
            continue;
        sources[n] = base_library_get(source);
        const char *soname = manifest_string(source->soname);
        if (sources[n].handle && !strcmp(soname, manifest_string(object->soname)))
            imports_resolve(soname, sources[n].handle);
    }
    ElfW(Addr) self = (ElfW(Addr))dso - (ElfW(Addr))dso->base;
    ElfW(Addr) root = root_bias();
    ElfW(Sym) *symbols = dso_at(dso, dso->dynsym);
    const char *names = dso_at(dso, dso->dynstr);
    prefer_global_scope(dso, symbols, self);
    for (uint32_t i = dso->first_symbol, end = i + dso->symbol_count; i < end; i++) {
        ElfW(Sym) *symbol = &symbols[i];
        if (symbol->st_shndx == CAPSULE_SHN_SELF)
            continue;
        if (symbol->st_shndx == CAPSULE_SHN_ROOT) {
            set(symbol, self, root + symbol->st_value);
            continue;
        }
        uint32_t n = (uint32_t)symbol->st_shndx - CAPSULE_SHN_BASE;
        const struct base_library *library = n < source_count ? &sources[n] : NULL;
        ElfW(Addr) address = 0;
        if (library && library->as_planned) {
            address = library->bias + symbol->st_value;
            if (SYM_TYPE(symbol->st_info) == STT_GNU_IFUNC)
                address = arch_call_ifunc(address);
        } else if (library && library->handle) {
            address = (ElfW(Addr))lookup(library->scope, names + symbol->st_name, symbol_version(dso, i));
        }
        if (address) {
            set(symbol, self, address);
        } else { /* look-ups go past it, as if the runtime's library had none: those of dlsym by the value alone */
            symbol->st_value = 0;
            symbol->st_shndx = SHN_UNDEF;
        }
    }
    dso_seal(dso);
    debug("proxy %s: %u symbols", manifest_string(object->soname), dso->symbol_count);
    dlerror();
}

void capsule_missing(const struct capsule_dso *dso, unsigned symbol)
{
    const ElfW(Sym) *symbols = dso_at(dso, dso->dynsym);
    const char *name = (const char *)dso_at(dso, dso->dynstr) + symbols[symbol].st_name;
    const char *version = symbol_version(dso, symbol);
    const struct capsule_object *object = manifest_object(dso->object);
    fatal("the host's driver called %s%s%s, which the runtime's %s does not have and capsule-run cannot supply",
          name, version ? "@" : "", version ? version : "", object ? manifest_string(object->soname) : "library");
}
