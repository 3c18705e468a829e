/* Opening the manifest's objects in the capsule. A DT_NEEDED is satisfied by an object of that DT_SONAME which the
 * namespace already has (glibc elf/dl-load.c, _dl_map_object), so opening the closure in topological order by
 * absolute path keeps ld.so from ever searching the runtime's directories for a host library. */
#include "libcapsule.h"

#include <string.h>
#include <sys/mman.h>

/* One word an object: the handle that keeps it loaded. Two threads may both store one; the object is then counted
 * twice and stays loaded, which is what we want. */
static void **handles;

/* Not malloc: it may be the game's, whose constructors have not run yet. */
void *reserve(size_t count, size_t size)
{
    void *memory = mmap(NULL, (count + 1) * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    failure_set("no memory for the manifest's %zu entries", count);
    return NULL;
}

bool objects_reserve(uint32_t count)
{
    handles = reserve(count, sizeof *handles);
    return handles;
}

void *object_handle(uint32_t index)
{
    return __atomic_load_n(&handles[index], __ATOMIC_ACQUIRE);
}

static void *load(const struct capsule_object *object, int mode)
{
    const char *soname = manifest_string(object->soname);
    const char *path = manifest_string(object->path);
    /* RTLD_GLOBAL must go: from a namespace other than the base one glibc follows a null pointer
     * (elf/dl-open.c, add_to_global: _ns_main_searchlist is never set there). */
    void *handle = dlmopen(capsule_namespace, path, mode & ~RTLD_GLOBAL);
    if (handle && object->kind == CAPSULE_HOST && !strcmp(soname, "libgcc_s.so.1"))
        unwinder_prepare(handle);
    debug("open %s: %s", path, handle ? "ok" : "failed");
    return handle;
}

bool object_open_closure(const struct capsule_object *object)
{
    for (uint32_t n = 0; n < object->closure.count; n++) {
        uint32_t index = manifest_index(object->closure, n);
        const struct capsule_object *dependency = manifest_object(index);
        if (!dependency || dependency == object)
            continue;
        if (object_handle(index))
            continue;
        void *handle = load(dependency, RTLD_LAZY);
        if (!handle)
            return false; /* dlerror() tells the driver which one */
        __atomic_store_n(&handles[index], handle, __ATOMIC_RELEASE);
    }
    return true;
}

/* A proxy stands for the runtime's library: that one being loaded is what RTLD_NOLOAD asks for. libglvnd's EGL tells an
 * X11 display by it, in a program that has libX11 while no driver has yet asked for one. */
static bool loaded_in_base(const struct capsule_object *object)
{
    return dlopen(manifest_string(object->soname), RTLD_LAZY | RTLD_NOLOAD); /* kept, as the filled proxy keeps it */
}

/* glibc takes the namespace from the caller's address: here that is the base one. The volatile keeps the call from becoming
 * a tail call, whose caller would be the capsule root. */
void *open_in_base(const char *file, int mode)
{
    void *volatile handle = dlopen(file, mode);
    debug("open %s in the base namespace: %s", file, handle ? "ok" : "failed");
    return handle;
}

void *object_dlopen(uint32_t index, int mode)
{
    const struct capsule_object *object = manifest_object(index);
    if (!object)
        return NULL;
    if (object->kind == CAPSULE_BASE)
        return open_in_base(manifest_string(object->path), mode);
    if (mode & RTLD_NOLOAD && object->kind == CAPSULE_PROXY && loaded_in_base(object))
        mode &= ~RTLD_NOLOAD;
    if (!(mode & RTLD_NOLOAD) && !object_open_closure(object))
        return NULL;
    return load(object, mode);
}

void *object_open(uint32_t index)
{
    const struct capsule_object *object = manifest_object(index);
    if (!object)
        return NULL;
    void *handle = object_handle(index);
    if (handle)
        return handle;
    handle = object_dlopen(index, RTLD_LAZY);
    if (!handle) {
        const char *why = dlerror();
        failure_set("%s: %s", manifest_string(object->soname), why ? why : "cannot be loaded");
        return NULL;
    }
    __atomic_store_n(&handles[index], handle, __ATOMIC_RELEASE);
    return handle;
}
