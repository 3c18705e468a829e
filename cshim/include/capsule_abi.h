/* What the generated files and the C parts agree on: the manifest beside libcapsule.so, and the descriptors inside
 * stubs and proxies. capsule/manifest and capsule/dso (Go) write these bytes; the sizes and offsets asserted below
 * are asserted there too. All integers are little-endian; a "string" is an offset into the manifest's string table
 * (0 is the empty string); a "range" is a first index and a count.
 *
 *   manifest:  header | objects[] | indices[] (u32) | aliases[] | path maps[] | strings
 */
#ifndef CAPSULE_ABI_H
#define CAPSULE_ABI_H

#include <stddef.h>
#include <stdint.h>

#define CAPSULE_MANIFEST_NAME "capsule.manifest"
#define CAPSULE_ABI_VERSION 2u

struct capsule_range {
    uint32_t first, count;
};

enum capsule_object_kind {
    CAPSULE_HOST = 1,  /* a host library, loaded into the capsule */
    CAPSULE_PROXY = 2, /* a generated proxy, loaded into the capsule */
    CAPSULE_BASE = 3,  /* a runtime library, in the base namespace: proxies hand out its symbols, or an alias leads to it */
};

enum capsule_object_flags {
    CAPSULE_OPENS_OTHERS = 1, /* HOST: a loader; what it opens and the plan does not know is the program's, in the base namespace */
};

struct capsule_object {
    uint32_t kind;
    uint32_t soname;              /* string: what DT_NEEDED and dlopen call it */
    uint32_t path;                /* string: absolute path of the file inside the container; BASE: may be empty */
    uint16_t build_id_len;        /* 0: unknown, then symbols are looked up by name */
    uint16_t flags;               /* capsule_object_flags */
    struct capsule_range closure; /* indices: HOST: the objects to open before it, dependencies first */
    struct capsule_range sources; /* indices: PROXY: the BASE objects that st_shndx - CAPSULE_SHN_BASE counts */
    uint8_t build_id[32];
    /* A function that the planned file exports, the last of its text: what a rebuild or prelink(8)
     * under the same build-id moves. Without one (an index of 0) symbols are looked up by name,
     * too. */
    uint32_t probe_name, probe_index; /* string; in .dynsym */
    uint64_t probe_value;
};

/* Another absolute path by which drivers open an object; sorted by nothing, looked through once a dlopen. */
struct capsule_alias {
    uint32_t path, object;
};

/* A directory or file of the host that drivers name by an absolute path, and where it is inside the container, which is
 * below the capsule's directory, or below the build in its place. To anywhere else: from is a link to it (struct capsule_path_rule). */
struct capsule_path_map {
    uint32_t from, to;
};

struct capsule_manifest {
    uint8_t magic[8]; /* "CAPSULE\0" */
    uint32_t version; /* CAPSULE_ABI_VERSION */
    uint32_t size;    /* of the whole file, in bytes */
    uint32_t objects_off, object_count;
    uint32_t indices_off, index_count;
    uint32_t aliases_off, alias_count;
    uint32_t maps_off, map_count;
    uint32_t strings_off, strings_size; /* the last byte is NUL */
    uint32_t root_path;                 /* string: the capsule root */
    uint32_t host_dir;                  /* string: where the host's libraries are mounted */
};

/* st_shndx of a proxy's symbols says whose address st_value is relative to. ld.so only asks whether it is
 * SHN_UNDEF, so the numbers are ours. The value of every symbol becomes absolute-minus-load-bias when the proxy
 * fills itself: that is right with every glibc, while SHN_ABS has its bias added before 2.28 (bug 19818). */
enum {
    CAPSULE_SHN_SELF = 1, /* the proxy itself: nothing to do */
    CAPSULE_SHN_ROOT = 2, /* the capsule root: a wrapper or a polyfill */
    CAPSULE_SHN_BASE = 3, /* and above: the n-th source of the proxy */
};

/* At the start of a stub's or proxy's writable segment; DT_INIT passes its address to capsule_stub_init or
 * capsule_proxy_init. Offsets are relative to the descriptor itself, so that it needs no relocation. */
struct capsule_dso {
    uint32_t abi;          /* CAPSULE_ABI_VERSION */
    uint32_t object;       /* index in the manifest: the host library (stub), the proxy itself (proxy) */
    uint32_t first_symbol; /* of .dynsym: the first defined one */
    uint32_t symbol_count; /* defined ones */
    int64_t base;          /* descriptor minus load bias */
    int64_t dynsym, dynstr, versym, verdef; /* versym 0: no versions */
    int64_t slots;         /* stub: one word a defined symbol; holds the host library's st_value until bound */
    int64_t by_name;       /* u32[]: symbols to look up by name (stub: IFUNCs; proxy: in the global scope first) */
    uint32_t by_name_count;
    uint32_t bound; /* set by libcapsule */
    uint64_t size;  /* from here on: what is written by DT_INIT alone, and read-only then */
};

#define CAPSULE_CHECK(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #type "." #field)
CAPSULE_CHECK(capsule_object, closure, 16);
CAPSULE_CHECK(capsule_object, sources, 24);
CAPSULE_CHECK(capsule_object, build_id, 32);
CAPSULE_CHECK(capsule_object, probe_value, 72);
_Static_assert(sizeof(struct capsule_object) == 80, "capsule_object");
CAPSULE_CHECK(capsule_manifest, objects_off, 16);
CAPSULE_CHECK(capsule_manifest, root_path, 56);
_Static_assert(sizeof(struct capsule_manifest) == 64, "capsule_manifest");
CAPSULE_CHECK(capsule_dso, base, 16);
CAPSULE_CHECK(capsule_dso, slots, 56);
CAPSULE_CHECK(capsule_dso, by_name_count, 72);
CAPSULE_CHECK(capsule_dso, size, 80);
_Static_assert(sizeof(struct capsule_dso) == 88, "capsule_dso");

#endif
