/* The runtime's own libraries, as they are loaded in the base namespace. A proxy was generated from a file; the
 * process may have loaded another one (a game that brings its own libX11, LD_LIBRARY_PATH). The build-id in memory
 * tells, and then symbols are looked up by name instead of by the planned offset. */
#include "libcapsule.h"

#include <elf.h>
#include <string.h>

struct build_id_search {
    const struct link_map *map;
    const struct capsule_object *object;
    bool same;
};

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

static int compare_build_id(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct build_id_search *search = data;
    /* Two objects never share a dynamic section; load biases may both be 0 (prelink). */
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC &&
            info->dlpi_addr + info->dlpi_phdr[i].p_vaddr != (ElfW(Addr))search->map->l_ld)
            return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        if (phdr->p_type == PT_NOTE &&
            note_matches((const char *)(info->dlpi_addr + phdr->p_vaddr), phdr->p_memsz, search->object)) {
            search->same = true;
            return 1;
        }
    }
    return 1;
}

int iterate_base(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    /* glibc takes the namespace from the caller's address: here that is the base namespace. The volatile keeps
     * the call from becoming a tail call, whose caller would be the capsule root. */
    volatile int result = dl_iterate_phdr(callback, data);
    return result;
}

/* Only asked of the base namespace: what is in the capsule are files of our own mounts. */
static bool loaded_as_planned(const struct link_map *map, const struct capsule_object *object)
{
    if (object->build_id_len == 0 || object->build_id_len > sizeof object->build_id)
        return false;
    struct build_id_search search = {map, object, false};
    iterate_base(compare_build_id, &search);
    return search.same;
}

struct base_library base_library_get(const struct capsule_object *object)
{
    const char *soname = manifest_string(object->soname);
    struct base_library library = {0};
    library.handle = dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library.handle)
        library.handle = dlopen(soname, RTLD_LAZY);
    if (!library.handle) {
        debug("the runtime has no %s: %s", soname, dlerror());
        return library;
    }
    struct link_map *map = NULL;
    if (dlinfo(library.handle, RTLD_DI_LINKMAP, &map) || !map)
        return (struct base_library){0};
    library.bias = map->l_addr;
    library.as_planned = loaded_as_planned(map, object);
    if (!library.as_planned)
        debug("%s is not the planned file: %s; symbols go by name", soname, map->l_name);
    return library;
}
