/* libcapsule.so, the base namespace's half: it makes the capsule, loads host libraries into it, fills proxies and
 * binds stubs. The files here, in the order in which a process goes through them:
 *
 *   bringup.c   constructor: manifest, capsule root, the tables handed to it
 *   stub.c      capsule_stub_init: called by each stub's DT_INIT
 *   objects.c   opening host libraries and proxies, dependencies first
 *   proxy.c     capsule_proxy_init: called by each proxy's DT_INIT
 *   base.c      the runtime's own instances whose symbols proxies hand out
 *   planned.c   whether what was loaded is the file that the plan saw
 *   sealed.c    what becomes read-only when it is filled
 *   dlopen.c    what dlopen and dlsym mean inside the capsule
 *   unwind.c    exceptions and pthread_exit across the boundary
 *   needed.c    what a library that the plan does not know needs
 *   global.c    RTLD_GLOBAL inside the capsule
 *   manifest.c  the only reader of the manifest's bytes
 *   report.c    CAPSULE_DEBUG, and the one message before an unavoidable abort
 *
 * What is legal here: all of it may run inside ld.so's loader lock and before the program's own constructors, so
 * nothing allocates with malloc, nothing starts threads, and every libc function used is one that glibc 2.17 has
 * under the architecture's base version (cshim/abi lists them; the link fails on any other).
 *
 * No lock of our own, but for a few instructions in global.c that call nothing: proxies and stubs initialise from DT_INIT,
 * which ld.so runs before the dlopen that loaded them returns and under its own lock. A second lock would be taken in the
 * other order by a driver's thread.
 */
#ifndef LIBCAPSULE_H
#define LIBCAPSULE_H

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>

#include "capsule_abi.h"
#include "root_abi.h"

#define EXPORT __attribute__((visibility("default")))

/* manifest.c */
bool manifest_load(const char *path);
uint32_t manifest_object_count(void);
const struct capsule_object *manifest_object(uint32_t index); /* NULL when out of range */
uint32_t manifest_index(struct capsule_range range, uint32_t n); /* UINT32_MAX when out of range */
const char *manifest_string(uint32_t offset); /* "" when out of range */
const char *manifest_root_path(void);
const char *manifest_host_dir(void);
uint32_t manifest_find_soname(const char *name, uint32_t kind); /* UINT32_MAX when not there */
uint32_t manifest_find_alias(const char *path);
uint32_t manifest_find_file_name(const char *name); /* the last component of an alias */
struct capsule_path_rules manifest_path_rules(void); /* none where memory is short */
const char *manifest_library_file(const char *path); /* the file of an alias, or NULL */

/* bringup.c */
extern Lmid_t capsule_namespace;
int iterate_capsule(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data);
ElfW(Addr) root_bias(void); /* load bias of the capsule root */
void imports_resolve(const char *library, void *handle); /* fills the root's imports from a library; NULL: libc's */
bool capsule_is_up(void);

/* objects.c */
void *object_open(uint32_t index);                   /* keeps the object loaded; NULL and a report on failure */
void *object_dlopen(uint32_t index, int mode);       /* counted by ld.so, as dlopen */
void *open_in_base(const char *file, int mode);
bool object_open_closure(const struct capsule_object *object);
void *object_handle(uint32_t index); /* the handle object_open keeps, or NULL */
bool objects_reserve(uint32_t count);
void *reserve(size_t count, size_t size); /* zeroed memory that is never freed; NULL and failure_set */

/* base.c */
struct base_library {
    void *handle;      /* NULL: the runtime has no such library */
    void *scope;       /* where dlsym finds its symbols */
    ElfW(Addr) bias;
    bool as_planned;   /* the file that the proxy was generated from: symbols lie where it has them */
};
struct base_library base_library_get(const struct capsule_object *object);
int iterate_base(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data);

/* planned.c */
bool describes(const struct dl_phdr_info *info, const struct link_map *map); /* are they of one object? */
/* iterate: over the namespace that has the map. */
bool loaded_as_planned(const struct link_map *map, const struct capsule_object *object, iterate_function *iterate);

/* sealed.c */
#define SEALED __attribute__((section(".data.rel.ro")))
struct sealed {
    ElfW(Addr) start, end; /* whole pages; empty where there are none */
};
void dso_seal(struct capsule_dso *dso);
struct sealed sealed_in(ElfW(Addr) bias, const ElfW(Phdr) *phdrs, unsigned count);
struct sealed sealed_of_ours(const void *header); /* an object's of cshim: its ELF header is where it is loaded */
bool sealed_open(struct sealed area);
void sealed_close(struct sealed area);

/* unwind.c */
void unwinder_bring_up(void);
void unwinder_prepare(void *libgcc);

/* dlopen.c */
void *capsule_dlopen(const char *file, int mode, const void *caller);
void *capsule_lookup_global(const char *name, const char *version);

/* needed.c */
void open_needed(const char *path);

/* global.c */
void global_bring_up(struct link_map *root);
void global_add(struct link_map *map);
struct link_map *global_get(unsigned index); /* NULL behind the last */

/* proxy.c, stub.c */
const char *symbol_version(const struct capsule_dso *dso, uint32_t index); /* NULL for none */
void *lookup_exactly(void *handle, const char *name, const char *version); /* version NULL: the default one */
void *lookup(void *handle, const char *name, const char *version);         /* if that is not there, too */
void capsule_proxy_init(struct capsule_dso *dso);
EXPORT void capsule_stub_init(struct capsule_dso *dso);
__attribute__((noreturn)) void capsule_missing(const struct capsule_dso *dso, unsigned symbol);

/* report.c */
extern bool capsule_debugging;
void report_init(void);
void debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void failure_set(const char *format, ...) __attribute__((format(printf, 1, 2)));
__attribute__((noreturn)) void failure_abort(void); /* what stubs call when the capsule is not there */
__attribute__((noreturn)) void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void *dso_at(const struct capsule_dso *dso, int64_t offset)
{
    return (char *)dso + offset;
}

#endif
