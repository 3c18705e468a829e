/* The only reader of the manifest. The file is the launcher's, but it sits in a cache that a full disk or a crash
 * may have left short: every offset is checked before it is followed. */
#include "libcapsule.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct capsule_manifest *header;
static const struct capsule_object *objects;
static const uint32_t *indices;
static const struct capsule_alias *aliases;
static const struct capsule_path_map *maps;
static const char *strings;

static bool table_fits(uint32_t off, uint32_t count, size_t entry, size_t size)
{
    return off % 4 == 0 && off <= size && count <= (size - off) / entry;
}

bool manifest_load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        failure_set("%s cannot be opened", path);
        return false;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    size_t size = end > 0 ? (size_t)end : 0;
    const struct capsule_manifest *m = MAP_FAILED;
    if (size >= sizeof *m && size < 1u << 28)
        m = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (m == MAP_FAILED) {
        failure_set("%s cannot be mapped", path);
        return false;
    }
    if (memcmp(m->magic, "CAPSULE", 8) || m->version != CAPSULE_ABI_VERSION || m->size != size ||
        !table_fits(m->objects_off, m->object_count, sizeof *objects, size) ||
        !table_fits(m->indices_off, m->index_count, sizeof *indices, size) ||
        !table_fits(m->aliases_off, m->alias_count, sizeof *aliases, size) ||
        !table_fits(m->maps_off, m->map_count, sizeof *maps, size) ||
        !table_fits(m->strings_off, m->strings_size, 1, size) || m->strings_size == 0 ||
        ((const char *)m)[m->strings_off + m->strings_size - 1] != '\0') {
        failure_set("%s is damaged or of another release", path);
        munmap((void *)m, size);
        return false;
    }
    const char *bytes = (const char *)m;
    objects = (const void *)(bytes + m->objects_off);
    indices = (const void *)(bytes + m->indices_off);
    aliases = (const void *)(bytes + m->aliases_off);
    maps = (const void *)(bytes + m->maps_off);
    strings = bytes + m->strings_off;
    header = m;
    return true;
}

uint32_t manifest_object_count(void)
{
    return header->object_count;
}

const struct capsule_object *manifest_object(uint32_t index)
{
    return index < header->object_count ? &objects[index] : NULL;
}

uint32_t manifest_index(struct capsule_range range, uint32_t n)
{
    if (n >= range.count || range.first > header->index_count || n >= header->index_count - range.first)
        return UINT32_MAX;
    return indices[range.first + n];
}

const char *manifest_string(uint32_t offset)
{
    return offset < header->strings_size ? strings + offset : "";
}

const char *manifest_root_path(void)
{
    return manifest_string(header->root_path);
}

const char *manifest_host_dir(void)
{
    return manifest_string(header->host_dir);
}

uint32_t manifest_find_soname(const char *name, uint32_t kind)
{
    for (uint32_t i = 0; i < header->object_count; i++)
        if (objects[i].kind == kind && !strcmp(manifest_string(objects[i].soname), name))
            return i;
    return UINT32_MAX;
}

uint32_t manifest_find_alias(const char *path)
{
    for (uint32_t i = 0; i < header->alias_count; i++)
        if (!strcmp(manifest_string(aliases[i].path), path))
            return aliases[i].object;
    return UINT32_MAX;
}

uint32_t manifest_find_file_name(const char *name)
{
    for (uint32_t i = 0; i < header->alias_count; i++) {
        const char *path = manifest_string(aliases[i].path), *slash = strrchr(path, '/');
        if (slash && !strcmp(slash + 1, name))
            return aliases[i].object;
    }
    return UINT32_MAX;
}

const struct capsule_path_rule *manifest_path_rules(size_t *count)
{
    struct capsule_path_rule *rules = reserve(header->map_count, sizeof *rules);
    *count = rules ? header->map_count : 0;
    for (uint32_t i = 0; i < *count; i++) {
        const char *from = manifest_string(maps[i].from), *to = manifest_string(maps[i].to);
        rules[i] = (struct capsule_path_rule){from, to, strlen(from), strlen(to)};
    }
    return rules;
}
