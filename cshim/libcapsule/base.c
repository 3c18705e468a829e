/* The runtime's own libraries, as they are loaded in the base namespace: whose symbols proxies hand
 * out. */
#include "libcapsule.h"

#include <string.h>

int iterate_base(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    /* glibc takes the namespace from the caller's address: here that is the base namespace. The volatile keeps
     * the call from becoming a tail call, whose caller would be the capsule root. */
    volatile int result = dl_iterate_phdr(callback, data);
    return result;
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
    library.scope = strncmp(soname, "ld-", 3) ? library.handle : RTLD_DEFAULT; /* ld.so's own handle has no scope */
    library.as_planned = loaded_as_planned(map, object, iterate_base);
    return library;
}
