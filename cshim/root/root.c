/* Bring-up of the capsule root, and the two functions that proxies reach through its place in the first scope. */
#include "root.h"

CAPSULE_IMPORT(int *, __errno_location, (void));

extern const struct capsule_import __start_capsule_imports[] __attribute__((visibility("hidden")));
extern const struct capsule_import __stop_capsule_imports[] __attribute__((visibility("hidden")));

__attribute__((visibility("default"))) ROOT_SEALED struct capsule_root_interface capsule_root = {
    .imports = __start_capsule_imports,
    .imports_end = __stop_capsule_imports,
    .iterate_capsule = root_iterate_capsule,
};

int *root_errno(void)
{
    return base___errno_location();
}

__attribute__((visibility("default"))) void capsule_proxy_init(struct capsule_dso *dso)
{
    base()->proxy_init(dso);
}

/* Jumped to by a proxy's slot for a symbol that nobody can supply. */
__attribute__((visibility("default"))) void capsule_missing(const struct capsule_dso *dso, unsigned symbol)
{
    base()->missing(dso, symbol);
}
