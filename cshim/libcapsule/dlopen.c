/* What dlopen and dlsym mean to the host's libraries. The capsule root's wrappers call these. */
#include "libcapsule.h"

#include <string.h>

#define MAX_GLOBALS 64

/* Handles opened with RTLD_GLOBAL: dlsym(dlopen(NULL), …) and RTLD_DEFAULT see them. */
static void *globals[MAX_GLOBALS];
static uint32_t global_count;

static void add_global(void *handle)
{
    for (uint32_t i = 0; i < MAX_GLOBALS && i < __atomic_load_n(&global_count, __ATOMIC_ACQUIRE); i++)
        if (globals[i] == handle)
            return;
    uint32_t n = __atomic_fetch_add(&global_count, 1, __ATOMIC_ACQ_REL);
    if (n < MAX_GLOBALS)
        __atomic_store_n(&globals[n], handle, __ATOMIC_RELEASE);
}

/* A proxied SONAME means the runtime's instance whatever directory stands before it: libcuda opens libpthread.so.0
 * by absolute path, and a second copy of it would crash. */
static uint32_t find(const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    uint32_t index = manifest_find_soname(name, CAPSULE_PROXY);
    if (index != UINT32_MAX)
        return index;
    return slash ? manifest_find_alias(file) : manifest_find_soname(name, CAPSULE_HOST);
}

/* A name that the plan does not know must not be searched by ld.so: it would find the runtime's copy and load a
 * second instance of a library the game already has. */
static void *open_unplanned(const char *file, int mode)
{
    char path[4096];
    if (strchr(file, '/'))
        return dlmopen(capsule_namespace, file, mode);
    const char *dir = manifest_host_dir();
    size_t dir_len = strlen(dir), file_len = strlen(file);
    if (dir_len + file_len + 2 > sizeof path)
        return NULL;
    memcpy(path, dir, dir_len);
    path[dir_len] = '/';
    memcpy(path + dir_len + 1, file, file_len + 1);
    return dlmopen(capsule_namespace, path, mode);
}

void *capsule_dlopen(const char *file, int mode, const void *caller)
{
    (void)caller;
    bool global = mode & RTLD_GLOBAL;
    uint32_t index = find(file);
    void *handle;
    if (index != UINT32_MAX)
        handle = object_dlopen(index, mode);
    else
        handle = open_unplanned(file, mode & ~RTLD_GLOBAL);
    debug("dlopen(\"%s\", %#x) in the capsule: %s", file, mode, handle ? "ok" : "not found");
    if (handle && global)
        add_global(handle);
    return handle;
}

static void *lookup_in(void *handle, const char *name, const char *version)
{
    return version ? dlvsym(handle, name, version) : dlsym(handle, name);
}

void *capsule_lookup_global(const char *name, const char *version)
{
    uint32_t count = __atomic_load_n(&global_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count && i < MAX_GLOBALS; i++) {
        void *handle = __atomic_load_n(&globals[i], __ATOMIC_ACQUIRE);
        void *address = handle ? lookup_in(handle, name, version) : NULL;
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
