/* RTLD_GLOBAL inside the capsule. glibc's own way ends in a null pointer there (elf/dl-open.c, add_to_global uses
 * _ns_main_searchlist, which only the base namespace has). What it would do is to append the library to the first
 * scope of every object; in a namespace that is the search list of the object loaded first, the capsule root.
 *
 * That list is a field of the root's struct link_map, behind the public part: an array of maps and its length. The root
 * has no dependencies, so the field is found, whatever the glibc, as a pointer to an array with the root itself in
 * it, followed by the number 1. Where exactly one place fits, the array is replaced by a larger one of ours, and
 * appending is storing a pointer and then the length. Where that is not so, RTLD_GLOBAL is only seen by dlsym.
 */
#include "libcapsule.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_GLOBALS 256
/* Bytes of struct link_map that are looked at. l_searchlist follows l_info, which has some 80 words; the whole is
 * above 1000 bytes in every glibc since 2.17 (include/link.h), and half of that with 32-bit words. */
#define SEARCHED (120 * sizeof(void *))

struct scope { /* struct r_scope_elem, include/link.h */
    struct link_map **list;
    unsigned count;
};

static struct link_map *globals[MAX_GLOBALS]; /* [0] is the root; libraries in it are never unloaded */
static unsigned global_count;
static struct scope *first_scope; /* NULL: the list was not found */
static bool adding;

/* For debuggers: the first map of the capsule, from which l_next leads to all. gdb finds other namespaces by itself only
 * with glibc 2.35 and later; cshim/gdb/capsule.py reads this one. */
EXPORT struct link_map *capsule_debug_root;

/* Whether a word can be read: the kernel copies it before it looks at the nonsensical first argument. */
static bool is_mapped(const void *word)
{
    int saved = errno;
    bool mapped = syscall(SYS_rt_sigprocmask, -1, word, NULL, (size_t)8) < 0 && errno == EINVAL;
    errno = saved;
    return mapped;
}

static bool is_search_list(const struct scope *scope, const struct link_map *root)
{
    return scope->count == 1 && scope->list && (ElfW(Addr))scope->list % sizeof(void *) == 0 &&
           is_mapped(scope->list) && scope->list[0] == root;
}

void global_bring_up(struct link_map *root)
{
    capsule_debug_root = root;
    globals[0] = root;
    global_count = 1;
    struct scope *found = NULL;
    for (size_t at = sizeof *root; at + sizeof(struct scope) <= SEARCHED; at += sizeof(void *)) {
        struct scope *scope = (struct scope *)((char *)root + at);
        if (!is_search_list(scope, root))
            continue;
        if (found) {
            debug("RTLD_GLOBAL is for dlsym alone: the first scope is ambiguous");
            return;
        }
        found = scope;
    }
    if (!found) {
        debug("RTLD_GLOBAL is for dlsym alone: the first scope was not found");
        return;
    }
    found->list = globals;
    first_scope = found;
}

/* The lock is held for a few stores and across no call, so that ld.so's own lock may be held here or not. */
void global_add(struct link_map *map)
{
    while (__atomic_test_and_set(&adding, __ATOMIC_ACQUIRE))
        ;
    bool there = false;
    for (unsigned i = 0; i < global_count; i++)
        there = there || globals[i] == map;
    if (!there && global_count < MAX_GLOBALS) {
        globals[global_count] = map;
        __atomic_store_n(&global_count, global_count + 1, __ATOMIC_RELEASE);
        if (first_scope)
            __atomic_store_n(&first_scope->count, global_count, __ATOMIC_RELEASE);
    }
    __atomic_clear(&adding, __ATOMIC_RELEASE);
}

struct link_map *global_get(unsigned index)
{
    /* The root itself exports nothing that a driver should find. */
    return index + 1 < __atomic_load_n(&global_count, __ATOMIC_ACQUIRE) ? globals[index + 1] : NULL;
}
