/* The capsule root: the first object of the capsule's namespace. It has no DT_NEEDED and no undefined symbol, for
 * nothing is there yet when it is loaded. It carries
 *
 *   wrappers   functions that mean something else inside the capsule (dl.c, paths*.c): override$NAME
 *   polyfills  public functions that the runtime's libc is too old to have (polyfill*.c): polyfill$NAME
 *
 * Neither is found by name: the Go side reads these names from this object's .dynsym and points the proxies'
 * symbols at them, a wrapper always, a polyfill only where the runtime has no such function.
 *
 * What is legal here: functions of the runtime through CAPSULE_IMPORT (resolved at bring-up; a name that the
 * runtime lacks stays NULL and must be tested), system calls, errno through set_errno.
 */
#ifndef CAPSULE_ROOT_H
#define CAPSULE_ROOT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capsule_abi.h"
#include "root_abi.h"

#define CAPSULE_EXPORTED(kind, type, name) \
    __asm__(kind "$" #name) __attribute__((visibility("default"), used))

/* The definition of a wrapper or polyfill: CAPSULE_OVERRIDE(int, access, (const char *path, int mode)) { … } */
#define CAPSULE_OVERRIDE(type, name, arguments)                             \
    type override_##name arguments CAPSULE_EXPORTED("override", type, name); \
    type override_##name arguments
#define CAPSULE_POLYFILL(type, name, arguments)                             \
    type polyfill_##name arguments CAPSULE_EXPORTED("polyfill", type, name); \
    type polyfill_##name arguments

/* What only libcapsule writes, when it fills the imports: it is read-only otherwise
 * (libcapsule/sealed.c). */
#define ROOT_SEALED __attribute__((section(".data.rel.ro")))

/* base_NAME: the runtime's function of that name. */
#define CAPSULE_IMPORT(type, name, arguments)                                                            \
    static ROOT_SEALED type(*base_##name) arguments;                                                      \
    static struct capsule_import import_##name __attribute__((section("capsule_imports"), used)) = {      \
        #name, (void **)&base_##name, NULL, 0}

/* The same in a library that is loaded late or not global: usable only in what that library's proxy hands out. */
#define CAPSULE_IMPORT_FROM(library, type, name, arguments)                                              \
    static ROOT_SEALED type(*base_##name) arguments;                                                      \
    static struct capsule_import import_##name __attribute__((section("capsule_imports"), used)) = {      \
        #name, (void **)&base_##name, library, 0}

/* The same in a library that may be part of libc, global, or neither: for LATE (polyfill.h). */
#define CAPSULE_IMPORT_LATE(library, type, name, arguments)                                              \
    static ROOT_SEALED type(*base_##name) arguments;                                                      \
    static struct capsule_import import_##name __attribute__((section("capsule_imports"), used)) = {      \
        #name, (void **)&base_##name, library, 1}

extern struct capsule_root_interface capsule_root;

static inline const struct capsule_base *base(void)
{
    return capsule_root.base;
}

/* unwind.c */
int root_iterate_capsule(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data);

/* The runtime's errno is the only one. */
int *root_errno(void);

static inline int set_errno(int error)
{
    *root_errno() = error;
    return -1;
}

/* Memory that nobody may touch, behind what is not of malloc: for AddressSanitizer alone
 * (asan.c). */
#ifdef CAPSULE_ASAN
void root_red_zone(void *at, size_t size, bool on);
#else
static inline void root_red_zone(void *at, size_t size, bool on)
{
    (void)at, (void)size, (void)on;
}
#endif

/* A raw system call's result as a libc function returns it. */
static inline long syscall_result(long result)
{
    return result < 0 && result > -4096 ? set_errno((int)-result) : result;
}

/* Room for a path that is mapped. The wrappers are called on small stacks too, those of signal
 * handlers: most paths fit into what is here, for a longer one the kernel gives pages. The pages
 * stay where the wrapper does not return: a cancelled thread, a child of vfork that has become a
 * program. */
#define ROOT_PATH_MAX 4096
struct root_path {
    char *pages; /* ROOT_PATH_MAX bytes for the path, as many to work with; NULL: none yet */
    char room[256];
};
#define ROOT_PATH(name)     \
    struct root_path name; \
    name.pages = NULL
void root_path_unmap(struct root_path *path);

static inline void root_path_free(struct root_path *path)
{
    if (path->pages)
        root_path_unmap(path);
}

/* Where inside the container the host's file is that a driver named by this path, relative to a
 * directory's descriptor or AT_FDCWD; path itself when the plan does not map it, or when the result
 * has more than ROOT_PATH_MAX bytes. errno is kept. paths.c has the rules. */
const char *root_map_at(int dir, const char *path, struct root_path *to);
const char *root_map_path(const char *path, struct root_path *to);

/* The same for a program that is looked for in PATH if its name has no slash. */
const char *root_map_program(const char *file, struct root_path *to);

/* What dlopen is to look for in the plan: the name by which the host knows a library, where path leads to one. Else
 * the same as root_map_path. */
const char *root_library_name(const char *path, struct root_path *to);

/* Puts the name back that the host has for a file of the container; in place, it becomes shorter. NULL stays NULL. */
char *root_unmap(char *path);

#endif
