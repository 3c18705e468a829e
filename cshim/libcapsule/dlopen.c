/* What dlopen and dlsym mean to the host's libraries. The capsule root's wrappers call these. */
#include "libcapsule.h"

#include <limits.h>
#include <string.h>

/* A proxied SONAME means the runtime's instance whatever directory stands before it: libcuda opens libpthread.so.0
 * by absolute path, and a second copy of it would crash. */
static uint32_t find(const char *file)
{
    const char *slash = strrchr(file, '/');
    uint32_t index = manifest_find_soname(slash ? slash + 1 : file, CAPSULE_PROXY);
    if (index != UINT32_MAX)
        return index;
    if (slash)
        return manifest_find_alias(file);
    index = manifest_find_soname(file, CAPSULE_HOST);
    return index != UINT32_MAX ? index : manifest_find_file_name(file);
}

/* The plan does not know it. By path it is the caller's own affair, but for what it needs. A bare name must not be
 * searched by ld.so: it would find the runtime's copy and load a second instance of what the game already has. */
static void *open_unplanned(const char *file, int mode)
{
    if (strchr(file, '/')) {
        if (!(mode & RTLD_NOLOAD))
            open_needed(file);
        return dlmopen(capsule_namespace, file, mode);
    }
    static const char nowhere[] = "/proc/self/host//"; /* its end is the mark by which the root's dlerror knows it */
    char path[sizeof nowhere + NAME_MAX + 1];           /* one too many: a longer name is too long for the kernel, too */
    size_t length = strlen(file);
    if (length > NAME_MAX + 1)
        length = NAME_MAX + 1;
    memcpy(path, nowhere, sizeof nowhere - 1);
    memcpy(path + sizeof nowhere - 1, file, length);
    path[sizeof nowhere - 1 + length] = '\0';
    return dlmopen(capsule_namespace, path, mode); /* fails, and dlerror() names the file */
}

/* RTLD_GLOBAL is for a library and what it needs (dlopen(3)). */
static void add_globals(uint32_t index, void *handle)
{
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) || !map)
        return;
    global_add(map);
    const struct capsule_object *object = manifest_object(index);
    for (uint32_t n = 0; object && n < object->closure.count; n++) {
        uint32_t dependency = manifest_index(object->closure, n);
        const struct capsule_object *needed = manifest_object(dependency);
        if (needed && needed->kind == CAPSULE_HOST && object_handle(dependency) &&
            !dlinfo(object_handle(dependency), RTLD_DI_LINKMAP, &map))
            global_add(map);
    }
}

/* Is it a loader that calls? What that opens and the plan does not know, a layer that the program brings, is not the
 * host's. l_name of what was opened by an absolute path is that path. */
static bool opens_others(const void *caller)
{
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname)
        return false;
    for (uint32_t i = 0; i < manifest_object_count(); i++) {
        const struct capsule_object *object = manifest_object(i);
        if (object->flags & CAPSULE_OPENS_OTHERS && !strcmp(manifest_string(object->path), info.dli_fname))
            return true;
    }
    return false;
}

void *capsule_dlopen(const char *file, int mode, const void *caller)
{
    bool global = mode & RTLD_GLOBAL;
    uint32_t index = find(file);
    if (index == UINT32_MAX && opens_others(caller)) {
        /* The capsule is left for one that the runtime is too old for: built for this host, and not known to the plan. */
        void *handle = open_in_base(file, mode);
        if (handle || !strchr(file, '/'))
            return handle;
    }
    mode &= ~RTLD_GLOBAL;
    if (global)
        mode |= RTLD_NODELETE; /* it stays in everybody's scope */
    void *handle = index != UINT32_MAX ? object_dlopen(index, mode) : open_unplanned(file, mode);
    debug("dlopen(\"%s\", %#x) in the capsule: %s", file, mode, handle ? "ok" : "not found");
    if (handle && global)
        add_globals(index, handle);
    return handle;
}

static void *lookup_in(void *handle, const char *name, const char *version)
{
    return version ? dlvsym(handle, name, version) : dlsym(handle, name);
}

/* In the order of a program's global scope: libraries opened with RTLD_GLOBAL, then the runtime's. */
void *capsule_lookup_global(const char *name, const char *version)
{
    struct link_map *map;
    for (unsigned i = 0; (map = global_get(i)); i++) {
        void *address = lookup_in(map, name, version);
        if (address)
            return address;
    }
    for (uint32_t i = 0; i < manifest_object_count(); i++) {
        if (manifest_object(i)->kind != CAPSULE_PROXY || !object_handle(i))
            continue;
        void *address = lookup_in(object_handle(i), name, version);
        if (address)
            return address;
    }
    return NULL;
}
