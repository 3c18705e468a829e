/* Bring-up: once per process, in libcapsule's constructor, which runs before that of any stub (they have it as
 * DT_NEEDED) and so before the game can call a graphics function. */
#include "libcapsule.h"

#include <limits.h>
#include <string.h>

Lmid_t capsule_namespace;

static bool up;
static SEALED struct capsule_base base_interface;
static SEALED const struct capsule_root_interface *root_interface;
static struct sealed root_tables;

bool capsule_is_up(void)
{
    return up;
}

ElfW(Addr) root_bias(void)
{
    return ((const struct link_map *)base_interface.global_handle)->l_addr;
}

/* The manifest lies beside libcapsule.so: found by address, not by an environment variable that a game's start
 * script may have replaced. */
static bool load_manifest(void)
{
    Dl_info self;
    if (!dladdr((void *)&base_interface, &self) || !self.dli_fname) {
        failure_set("libcapsule.so does not know where it is");
        return false;
    }
    const char *slash = strrchr(self.dli_fname, '/');
    size_t dir = slash ? (size_t)(slash - self.dli_fname) + 1 : 0;
    if (dir + sizeof CAPSULE_MANIFEST_NAME > PATH_MAX) {
        failure_set("the path of libcapsule.so is too long");
        return false;
    }
    char path[dir + sizeof CAPSULE_MANIFEST_NAME];
    memcpy(path, self.dli_fname, dir);
    memcpy(path + dir, CAPSULE_MANIFEST_NAME, sizeof CAPSULE_MANIFEST_NAME);
    return manifest_load(path);
}

/* ld.so tells auditors (LD_AUDIT) that a namespace is about to grow, by its first object. Before 2.35 it looks for one in an
 * empty namespace too, and follows the null pointer (elf/dl-load.c, _dl_map_object_from_fd). With this bit, by which it
 * opens the auditors themselves (include/dlfcn.h, __RTLD_AUDIT), it does not tell. */
#define OPEN_UNTOLD 0x08000000

/* The capsule root must be the first object of the namespace: its search list is the first scope of every object
 * loaded there later (glibc elf/dl-object.c), which is how proxies find capsule_proxy_init. */
static struct capsule_root_interface *load_root(void)
{
    int untold = dlsym(RTLD_DEFAULT, "_dl_find_object") ? 0 : OPEN_UNTOLD;
    void *root = dlmopen(LM_ID_NEWLM, manifest_root_path(), RTLD_NOW | RTLD_LOCAL | untold);
    if (!root) {
        failure_set("the capsule cannot be made: %s", dlerror());
        return NULL;
    }
    struct capsule_root_interface *interface = dlsym(root, "capsule_root");
    if (dlinfo(root, RTLD_DI_LMID, &capsule_namespace) || !interface) {
        failure_set("the capsule root is damaged");
        return NULL;
    }
    base_interface.global_handle = root;
    return interface;
}

/* Is it to be looked up in library (NULL: the global scope), and not there yet? */
static bool wants(const struct capsule_import *import, const char *library)
{
    if (!library)
        return !import->library || import->late;
    return import->library && !*import->slot && !strcmp(library, import->library);
}

int iterate_capsule(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    return root_interface->iterate_capsule(callback, data);
}

void imports_resolve(const char *library, void *handle)
{
    bool open = false;
    for (const struct capsule_import *i = root_interface->imports; i < root_interface->imports_end; i++)
        if (wants(i, library) && (open || (open = sealed_open(root_tables))))
            *i->slot = dlsym(handle, i->name);
    if (open)
        sealed_close(root_tables);
}

static void hand_over(struct capsule_root_interface *root)
{
    root_interface = root;
    root_tables = sealed_of_ours((const void *)root_bias());
    imports_resolve(NULL, RTLD_DEFAULT);
    base_interface.open = capsule_dlopen;
    base_interface.lookup_global = capsule_lookup_global;
    base_interface.iterate_base = iterate_base;
    base_interface.proxy_init = capsule_proxy_init;
    base_interface.missing = capsule_missing;
    base_interface.paths = manifest_path_rules();
    base_interface.library_file = manifest_library_file;
    if (sealed_open(root_tables))
        root->base = &base_interface;
    sealed_close(root_tables);
}

static bool make_capsule(void)
{
    if (!load_manifest() || !objects_reserve(manifest_object_count()))
        return false;
    struct capsule_root_interface *root = load_root();
    if (!root)
        return false;
    hand_over(root);
    global_bring_up(base_interface.global_handle);
    unwinder_bring_up();
    return true;
}

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* the link editor's: our ELF header */

__attribute__((constructor)) static void bring_up(void)
{
    report_init();
    struct sealed tables = sealed_of_ours(__ehdr_start);
    if (!sealed_open(tables)) {
        failure_set("memory cannot be made writable");
        return;
    }
    up = make_capsule();
    sealed_close(tables);
    if (!up)
        return;
    debug("namespace %ld is up, root %s", (long)capsule_namespace, manifest_root_path());
    /* Our failed look-ups must not be what the game's next dlerror() reports. */
    dlerror();
}
