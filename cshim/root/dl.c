/* The dlopen family inside the capsule. Handles are glibc's own, so dlclose, dlinfo and dladdr need no wrapper but
 * for the one handle that ld.so cannot give: dlopen(NULL), which in a namespace without a main program fails
 * (LLVM's JIT has no engine then). It is the root's own handle here, and dlsym on it searches what a program
 * would call its global scope. */
#include <dlfcn.h>
#include <string.h>

#include "root.h"

CAPSULE_IMPORT(int, dlclose, (void *));
CAPSULE_IMPORT(char *, dlerror, (void));
CAPSULE_IMPORT(void *, dlmopen, (Lmid_t, const char *, int));
CAPSULE_IMPORT(int, dladdr1, (const void *, Dl_info *, void **, int));

/* Jumped to from arch/<name>/root.S too, hence not static. */
#define DLSYM_IMPORT(type, name, arguments)                                                          \
    __attribute__((visibility("hidden"))) ROOT_SEALED type(*base_##name) arguments;                 \
    static struct capsule_import import_##name __attribute__((section("capsule_imports"), used)) = { \
        #name, (void **)&base_##name, NULL, 0}
DLSYM_IMPORT(void *, dlsym, (void *, const char *));
DLSYM_IMPORT(void *, dlvsym, (void *, const char *, const char *));

static void *open_for(const void *caller, const char *file, int mode)
{
    if (!file || !*file)
        return base()->global_handle;
    ROOT_PATH(to_path);
    void *handle = base()->open(root_library_name(file, &to_path), mode, caller);
    root_path_free(&to_path);
    return handle;
}

CAPSULE_OVERRIDE(void *, dlopen, (const char *file, int mode))
{
    return open_for(__builtin_return_address(0), file, mode);
}

/* A driver that names a namespace: the base one is, for it, the capsule. */
CAPSULE_OVERRIDE(void *, dlmopen, (Lmid_t namespace, const char *file, int mode))
{
    if (namespace == LM_ID_BASE)
        return open_for(__builtin_return_address(0), file, mode);
    return base_dlmopen(namespace, file, mode);
}

CAPSULE_OVERRIDE(int, dlclose, (void *handle))
{
    return handle == base()->global_handle ? 0 : base_dlclose(handle);
}

/* Says what ld.so would have said of a bare name that was not found: libcapsule put "…/host//"
 * before it (dlopen.c). */
CAPSULE_OVERRIDE(char *, dlerror, (void))
{
    static const char mark[] = "/host//";
    char *text = base_dlerror();
    for (char *c = text; c && *c && *c != ':'; c++)
        if (*c == '/' && strlen(c) >= sizeof mark && !memcmp(c, mark, sizeof mark - 1))
            return c + sizeof mark - 1;
    return text;
}

/* RTLD_DEFAULT: the caller's own object and its dependencies (its link map is a handle for that), then what a
 * program would have global. */
static void *lookup(void *handle, const char *name, const char *version, const void *caller)
{
    if (handle == base()->global_handle)
        return base()->lookup_global(name, version);
    void *address = NULL;
    if (handle == RTLD_DEFAULT) {
        Dl_info info;
        void *map = NULL;
        if (base_dladdr1(caller, &info, &map, RTLD_DL_LINKMAP) && map)
            address = version ? base_dlvsym(map, name, version) : base_dlsym(map, name);
        return address ? address : base()->lookup_global(name, version);
    }
    return version ? base_dlvsym(handle, name, version) : base_dlsym(handle, name);
}

__attribute__((visibility("hidden"))) void *root_dlsym(void *handle, const char *name)
{
    return lookup(handle, name, NULL, __builtin_return_address(0));
}

__attribute__((visibility("hidden"))) void *root_dlvsym(void *handle, const char *name, const char *version)
{
    return lookup(handle, name, version, __builtin_return_address(0));
}
