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

static bool table_fits(uint32_t off, uint32_t count, size_t entry, size_t alignment, size_t size)
{
    return off % alignment == 0 && off <= size && count <= (size - off) / entry;
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
        !table_fits(m->objects_off, m->object_count, sizeof *objects, _Alignof(__typeof__(*objects)), size) ||
        !table_fits(m->indices_off, m->index_count, sizeof *indices, _Alignof(__typeof__(*indices)), size) ||
        !table_fits(m->aliases_off, m->alias_count, sizeof *aliases, _Alignof(__typeof__(*aliases)), size) ||
        !table_fits(m->maps_off, m->map_count, sizeof *maps, _Alignof(__typeof__(*maps)), size) ||
        !table_fits(m->strings_off, m->strings_size, 1, 4, size) || m->strings_size == 0 ||
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

const char *manifest_library_file(const char *path)
{
    const struct capsule_object *object = manifest_object(manifest_find_alias(path));
    const char *file = object && object->kind != CAPSULE_PROXY ? manifest_string(object->path) : "";
    return *file ? file : NULL;
}

/* The length without slashes at the end: 0 for the root. */
static size_t path_length(const char *path)
{
    size_t n = strlen(path);
    while (n && path[n - 1] == '/')
        n--;
    return n;
}

static void add_names(struct capsule_path_rules *all, const char *path, size_t length)
{
    for (size_t i = 0, end, depth = 0; i < length; i = end, depth++) {
        for (end = ++i; end < length && path[end] != '/';)
            end++;
        uint64_t bit = (uint64_t)1 << capsule_name_bit(path + i, end - i);
        all->names |= bit;
        if (end == length)
            all->ends |= bit;
        if (depth >= CAPSULE_PATH_LEVELS)
            continue;
        all->levels[depth].any |= bit;
        if (end == length || depth == CAPSULE_PATH_LEVELS - 1)
            all->levels[depth].last |= bit;
    }
}

/* The length of the capsule's directory, or of the build that stands for it (capsule/build/inplace.go): the host's libraries are two
 * directories further down. */
static size_t capsule_dir_length(void)
{
    const char *dir = manifest_host_dir();
    size_t n = path_length(dir);
    for (int up = 0; up < 2; up++) {
        while (n && dir[n - 1] != '/')
            n--;
        n -= n > 0;
    }
    return n;
}

struct capsule_path_rules manifest_path_rules(void)
{
    size_t dir_len = capsule_dir_length();
    struct capsule_path_rule *rules = reserve(header->map_count, sizeof *rules);
    struct capsule_path_rules all = {.rules = rules};
    for (uint32_t i = 0; rules && i < header->map_count; i++) {
        const char *from = manifest_string(maps[i].from), *to = manifest_string(maps[i].to);
        size_t from_len = path_length(from), to_len = path_length(to);
        if (from[0] != '/' || to[0] != '/' || !from_len)
            continue;
        struct capsule_path_rule *rule = &rules[all.count++];
        bool link = to_len <= dir_len || memcmp(to, manifest_host_dir(), dir_len + 1);
        *rule = (struct capsule_path_rule){from, to, from_len, to_len, link};
        if (!rule->link && to_len > from_len + all.headroom)
            all.headroom = to_len - from_len;
        add_names(&all, from, from_len);
    }
    return all;
}
