/* Is a loaded library the file that the plan saw? Stubs and proxies were generated from files; the
 * process may have loaded others: a game that brings its own libX11, LD_LIBRARY_PATH, a package
 * that was updated between plan and load where a build stands for the capsule's directory and its
 * files are live paths. The build-id in memory tells, and one function's value in the symbol table, since two
 * files may share a build-id (prelink, a rebuild). */
#include "libcapsule.h"

#include <elf.h>
#include <string.h>

static bool note_matches(const char *note, size_t size, const struct capsule_object *object)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *header = (const void *)note;
        size_t name = (header->n_namesz + 3u) & ~3u, desc = (header->n_descsz + 3u) & ~3u;
        if (name > size || desc > size || sizeof *header + name + desc > size)
            return false;
        if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && !memcmp(header + 1, "GNU", 4))
            return header->n_descsz == object->build_id_len &&
                   !memcmp((const char *)(header + 1) + name, object->build_id, object->build_id_len);
        note += sizeof *header + name + desc;
        size -= sizeof *header + name + desc;
    }
    return false;
}

/* Two objects never share a dynamic section; load biases may both be 0 (prelink). */
bool describes(const struct dl_phdr_info *info, const struct link_map *map)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            return info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (ElfW(Addr))map->l_ld;
    return false;
}

/* Is all of it in the file's mapping? */
static bool is_loaded(const struct dl_phdr_info *info, ElfW(Addr) address, size_t size)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        ElfW(Addr) at = address - info->dlpi_addr - phdr->p_vaddr;
        if (phdr->p_type == PT_LOAD && at < phdr->p_filesz && size <= phdr->p_filesz - at)
            return true;
    }
    return false;
}

/* Not by dlsym: it finds nothing in ld.so's own handle. */
static bool probe_matches(const struct dl_phdr_info *info, const struct link_map *map, const struct capsule_object *object)
{
    ElfW(Addr) symbols = 0, names = 0;
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_SYMTAB)
            symbols = d->d_un.d_ptr;
        else if (d->d_tag == DT_STRTAB)
            names = d->d_un.d_ptr;
    }
    const ElfW(Sym) *symbol = (const ElfW(Sym) *)symbols + object->probe_index;
    if (!object->probe_index || !is_loaded(info, (ElfW(Addr))symbol, sizeof *symbol) ||
        symbol->st_value != object->probe_value)
        return false;
    const char *name = manifest_string(object->probe_name);
    ElfW(Addr) its_name = names + symbol->st_name;
    size_t size = strlen(name) + 1;
    return is_loaded(info, its_name, size) && !memcmp((const char *)its_name, name, size);
}

static bool build_id_matches(const struct dl_phdr_info *info, const struct capsule_object *object)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        if (phdr->p_type == PT_NOTE && note_matches((const char *)(info->dlpi_addr + phdr->p_vaddr), phdr->p_memsz, object))
            return true;
    }
    return false;
}

struct comparison {
    const struct link_map *map;
    const struct capsule_object *object;
    bool same;
};

static int compare(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct comparison *c = data;
    if (!describes(info, c->map))
        return 0;
    c->same = build_id_matches(info, c->object) && probe_matches(info, c->map, c->object);
    return 1;
}

bool loaded_as_planned(const struct link_map *map, const struct capsule_object *object, iterate_function *iterate)
{
    struct comparison c = {map, object, false};
    if (object->build_id_len > 0 && object->build_id_len <= sizeof object->build_id)
        iterate(compare, &c);
    if (!c.same)
        debug("%s is not the planned file: %s; symbols go by name", manifest_string(object->soname), map->l_name);
    return c.same;
}
