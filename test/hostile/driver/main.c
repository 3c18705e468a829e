/* Reads each file that standard input names with libcapsule's own code, as a manifest or as a library, and follows
 * everything that the code offers to follow. A sanitizer ends it at the first access that is wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is mapped has no red zones: the manifest is read into a block of exactly its size. */
static void *map_exactly(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    (void)at, (void)protection, (void)flags;
    void *block = malloc(size);
    return block && pread(fd, block, size, offset) == (ssize_t)size ? block : MAP_FAILED;
}

static int unmap(void *block, size_t size)
{
    (void)size;
    free(block);
    return 0;
}

static char seen[64]; /* what is read is used, so that it is read */

static void use(const char *text)
{
    snprintf(seen, sizeof seen, "%zu%.32s", strlen(text), text);
}

#define mmap map_exactly
#define munmap unmap
#include "../../../cshim/libcapsule/manifest.c"
#undef mmap
#undef munmap
#include "../../../cshim/libcapsule/needed.c"

void failure_set(const char *format, ...)
{
    (void)format;
}

void *reserve(size_t count, size_t size)
{
    return count < 1 << 24 ? calloc(count + 1, size) : NULL;
}

void *object_open(uint32_t index)
{
    (void)index;
    return NULL;
}

static void follow(void)
{
    use(manifest_root_path());
    use(manifest_host_dir());
    for (uint32_t i = 0; i < manifest_object_count(); i++) {
        const struct capsule_object *object = manifest_object(i);
        use(manifest_string(object->soname));
        use(manifest_string(object->path));
        uint32_t last = UINT32_MAX;
        for (uint32_t n = 0; n < object->closure.count && n < 1000; n++)
            if (manifest_object(last = manifest_index(object->closure, n)))
                use(manifest_string(manifest_object(last)->soname));
        for (uint32_t n = object->sources.count; n-- && n + 1000 > object->sources.count;)
            manifest_object(manifest_index(object->sources, n));
    }
    manifest_object(manifest_find_soname("libc.so.6", CAPSULE_PROXY));
    manifest_object(manifest_find_alias("/usr/lib/libx.so"));
    manifest_library_file("/usr/lib/libx.so");
    manifest_object(manifest_find_file_name("libx.so"));
    struct capsule_path_rules all = manifest_path_rules();
    for (size_t i = 0; i < all.count; i++)
        use(all.rules[i].from + all.rules[i].from_len / 2), use(all.rules[i].to);
    free((void *)all.rules);
    free((void *)header);
}

int main(void)
{
    static char line[4096];
    unsigned accepted = 0, refused = 0;
    if (!manifest_load(getenv("GOOD_MANIFEST"))) {
        fprintf(stderr, "the manifest that is as it should be is refused\n");
        return 1;
    }
    const struct capsule_manifest *good = header;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strstr(line, ".so")) {
            open_needed(line);
        } else if (manifest_load(line)) {
            accepted++;
            follow();
            header = good; /* needed.c asks it */
            objects = (const void *)((const char *)good + good->objects_off);
            aliases = (const void *)((const char *)good + good->aliases_off);
            strings = (const char *)good + good->strings_off;
        } else {
            refused++;
        }
    }
    printf("%u accepted, %u refused\n", accepted, refused);
    return 0;
}
