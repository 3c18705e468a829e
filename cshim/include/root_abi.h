/* What libcapsule.so (base namespace) and the capsule root (capsule) hand each other at bring-up. Both are built
 * from one tree and shipped as a pair, so this needs no version. */
#ifndef CAPSULE_ROOT_ABI_H
#define CAPSULE_ROOT_ABI_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>

struct capsule_dso;

/* A function of the runtime that the root's code calls; the root lists those it wants in the section
 * capsule_imports. libcapsule looks those of libc up at bring-up, in the base namespace's global scope. Those of another
 * library, which may not be loaded then, or not be global, are looked up in it when its proxy is filled, which is
 * before anything can call the polyfills in that proxy. */
struct capsule_import {
    const char *name;
    void **slot;         /* stays NULL when the runtime has no such function */
    const char *library; /* its SONAME; NULL: the global scope */
    int late;            /* the global scope first, and where that has none the library */
} __attribute__((aligned(4 * sizeof(void *)))); /* the section is an array: a compiler may align a lone one to its size */

/* What a path of the host means that a driver has compiled in or has put together. A rule with link set is a directory
 * of the host, or of the container's, that is another one of the host, as a symbolic link is: names go on there. Any
 * other says where in the container a file or directory of the host is. Neither path ends in a slash; the root is "". */
struct capsule_path_rule {
    const char *from, *to;
    size_t from_len, to_len;
    int link;
};

/* The rules, and what tells quickly that a path needs none of them. Of a GPU stack's rules none has more names; a build
 * that stands for the capsule's directory may lie deeper. */
#define CAPSULE_PATH_LEVELS 6
struct capsule_path_rules {
    const struct capsule_path_rule *rules;
    size_t count;
    size_t headroom;      /* the most that a path grows by a rule without link, in bytes */
    uint64_t names, ends; /* bit capsule_name_bit(c): there is a from with the component c, one that ends with it */
    /* The same by depth; what is deeper than the last counts as the end. */
    struct capsule_path_level {
        uint64_t any, last;
    } levels[CAPSULE_PATH_LEVELS];
};

static inline unsigned capsule_name_bit(const char *component, size_t length)
{
    return ((unsigned char)component[0] * 31u + (unsigned)length) & 63;
}

typedef int iterate_function(int (*)(struct dl_phdr_info *, size_t, void *), void *);

/* libcapsule's part, for the root. */
struct capsule_base {
    void *(*open)(const char *file, int mode, const void *caller);
    void *(*lookup_global)(const char *name, const char *version); /* dlsym on what dlopen(NULL) returns */
    void *global_handle;                                            /* what dlopen(NULL) returns */
    iterate_function *iterate_base; /* dl_iterate_phdr over the base namespace */
    void (*proxy_init)(struct capsule_dso *);
    void (*missing)(const struct capsule_dso *, unsigned symbol); /* never returns */
    struct capsule_path_rules paths;
    const char *(*library_file)(const char *path); /* where a host library's path is in the container, or NULL */
};

/* The root's part, for libcapsule: the symbol capsule_root. */
struct capsule_root_interface {
    const struct capsule_base *base; /* set by libcapsule before anything else is loaded */
    const struct capsule_import *imports, *imports_end;
    iterate_function *iterate_capsule; /* dl_iterate_phdr over the capsule */
};

#endif
