/* Files of the host that drivers name by paths compiled into them (/usr/share/drirc.d) or put
 * together from where they find themselves (…/host/usr/lib/../share): the driver sees the host's,
 * mounted in the capsule's directory, while the same path means the runtime's file to the game.
 *
 * A path is put together name by name, without ".", ".." and empty names, and following the links
 * that the plan knows: the host's own at its root (/lib -> /usr/lib), and the directories of the
 * container that are the host's root (TRIPLET/host and share of the capsule's). What the
 * kernel would find at another place because of a link that the plan does not know is not mapped.
 * The result is used only if a rule matches; else the path goes to the runtime untouched.
 *
 * The wrappers are in the other files paths_*.c and in stat.c. Only what reads is wrapped: what is
 * mapped is read-only, as are the runtime's own files, so a driver that writes gets an error either
 * way. Not wrapped either: chdir, which would change what the game's own relative paths mean, and
 * syscall(2).
 *
 * What is legal here: system calls and a little of the caller's stack. A driver may call these in a
 * child made by vfork, or in a signal handler. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "polyfill.h"
#include "unmapped.h"

typedef const struct capsule_path_rule rule_t;

struct name {
    struct root_path *in;
    char *text; /* behind the rules' headroom; not terminated */
    size_t length, limit;
    rule_t *rule; /* the outermost that matches */
    bool full;    /* there was not enough room */
};

static bool no_room(struct name *n)
{
    n->full = true;
    return false;
}

/* The rule for exactly this name. */
static rule_t *find_rule(const char *name, size_t length)
{
    const struct capsule_path_rules *all = &base()->paths;
    for (size_t i = 0; i < all->count; i++) {
        rule_t *rule = &all->rules[i];
        if (rule->from_len == length && !memcmp(rule->from, name, length))
            return rule;
    }
    return NULL;
}

static bool is_dots(const char *component, size_t length, size_t dots)
{
    return length == dots && component[0] == '.' && component[length - 1] == '.';
}

static void leave(struct name *n)
{
    while (n->length && n->text[--n->length] != '/')
        ;
    if (n->rule && n->length < n->rule->from_len)
        n->rule = NULL;
}

/* A link leads to a name that no other link changes: the plan has followed them. One in a damaged manifest is not gone on
 * with: there is headroom for no link's text. */
static bool follow(struct name *n, rule_t *link)
{
    if (link->to_len > n->limit)
        return no_room(n);
    memcpy(n->text, link->to, link->to_len);
    n->length = link->to_len;
    rule_t *rule = find_rule(n->text, n->length);
    n->rule = rule && !rule->link ? rule : NULL;
    return true;
}

/* False: the path is too long. */
static bool append(struct name *n, const char *path)
{
    for (;;) {
        while (*path == '/')
            path++;
        if (!*path)
            return true;
        char *to = n->text + n->length, *end = n->text + n->limit;
        const char *component = path;
        if (to == end)
            return no_room(n);
        *to++ = '/';
        while (*path && *path != '/' && to < end)
            *to++ = *path++;
        if (*path && *path != '/')
            return no_room(n);
        size_t length = (size_t)(path - component);
        if (is_dots(component, length, 1))
            continue;
        if (is_dots(component, length, 2)) {
            leave(n);
            continue;
        }
        n->length = (size_t)(to - n->text);
        if (n->rule || !(base()->paths.ends >> capsule_name_bit(component, length) & 1))
            continue;
        rule_t *rule = find_rule(n->text, n->length);
        if (rule && !rule->link)
            n->rule = rule;
        else if (rule && !follow(n, rule))
            return false;
    }
}

/* Can a relative path lead to what a rule maps? Its first name is then one of the rule's, or it climbs. */
static bool may_lead_to_rule(const char *path)
{
    uint64_t names = base()->paths.names;
    bool first = true;
    while (*path) {
        const char *component = path;
        while (*path && *path != '/')
            path++;
        size_t length = (size_t)(path - component);
        while (*path == '/')
            path++;
        if (is_dots(component, length, 2))
            return true;
        if (is_dots(component, length, 1))
            continue;
        if (first && names >> capsule_name_bit(component, length) & 1)
            return true;
        first = false;
    }
    return false;
}

/* The path of a directory as the kernel tells it; false: it has none, or no room. It is read into
 * the second page, or into the second half of the room, which the name gets back when it is put
 * together. */
static bool append_directory(struct name *n, int dir)
{
    char link[sizeof "/proc/self/fd/" + 10] = "/proc/self/cwd";
    long size = n->in->pages ? ROOT_PATH_MAX : sizeof n->in->room / 2;
    char *text = n->in->pages ? n->in->pages + ROOT_PATH_MAX : n->in->room + size;
    if (dir != AT_FDCWD) {
        memcpy(link, "/proc/self/fd/", 14);
        char digits[10], *at = link + 14;
        size_t count = 0;
        for (unsigned rest = (unsigned)dir; rest || !count; rest /= 10)
            digits[count++] = (char)('0' + rest % 10);
        while (count)
            *at++ = digits[--count];
        *at = 0;
    }
    long length = sys_raw(SYS_readlinkat, AT_FDCWD, link, text, size);
    if (length <= 0 || text[0] != '/')
        return false;
    if (length == size) /* or more */
        return no_room(n);
    text[length] = 0;
    size_t whole = n->limit, until_text = text > n->text ? (size_t)(text - n->text) : 0;
    n->limit = whole < until_text ? whole : until_text;
    bool fits = append(n, text);
    n->limit = whole;
    return fits;
}

static bool resolve(struct name *n, int dir, const char *path)
{
    if (path[0] != '/' && !((dir >= 0 || dir == AT_FDCWD) && may_lead_to_rule(path) && append_directory(n, dir)))
        return false;
    return append(n, path);
}

static bool resolve_in(struct name *n, char *buffer, size_t size, int dir, const char *path)
{
    size_t headroom = base()->paths.headroom, most = size - 2; /* without a slash at the end, and the 0 */
    if (headroom > most)
        headroom = most; /* no name fits */
    n->text = buffer + headroom;
    n->limit = most - headroom;
    n->length = 0;
    n->rule = NULL;
    n->full = false;
    return resolve(n, dir, path);
}

#ifdef SYS_mmap2
#define MAP_PAGES SYS_mmap2
#else
#define MAP_PAGES SYS_mmap
#endif

static bool give_pages(struct root_path *to)
{
    long pages = sys_raw(MAP_PAGES, NULL, 2 * ROOT_PATH_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages < 0 && pages > -4096)
        return false;
    to->pages = (char *)pages;
    return true;
}

void root_path_unmap(struct root_path *path)
{
    sys_raw(SYS_munmap, path->pages, 2 * ROOT_PATH_MAX);
}

/* False: no rule can match, or the path is too long. */
static bool put_together(struct name *n, int dir, const char *path, struct root_path *to)
{
    n->in = to;
    if (!to->pages) {
        if (resolve_in(n, to->room, sizeof to->room, dir, path))
            return true;
        if (!n->full || !give_pages(to))
            return false;
    }
    return resolve_in(n, to->pages, ROOT_PATH_MAX, dir, path);
}

/* Replaces what the rule says, in the room before the name; a slash at the end asks for a directory, and stays. */
static const char *replaced(struct name *n, bool directory)
{
    rule_t *rule = n->rule;
    char *to = n->text + rule->from_len - rule->to_len;
    memcpy(to, rule->to, rule->to_len);
    if (directory)
        n->text[n->length++] = '/';
    n->text[n->length] = 0;
    return to;
}

/* Drivers look whether their libraries are there before they open them. */
static bool is_library_name(const struct name *n)
{
    const char *text = n->text;
    for (size_t i = n->length; i >= 3 && text[i - 1] != '/'; i--)
        if (text[i - 3] == '.' && text[i - 2] == 's' && text[i - 1] == 'o')
            return true;
    return false;
}

/* Apart, so that the many paths that need none of it take no stack for it. */
static __attribute__((noinline)) const char *map_at(int dir, const char *path, struct root_path *to)
{
    struct name n;
    if (strlen(path) >= ROOT_PATH_MAX || !put_together(&n, dir, path, to)) /* the kernel takes none as long as that */
        return path;
    size_t end = strlen(path);
    if (n.rule)
        return replaced(&n, path[end - 1] == '/' || (path[end - 1] == '.' && (end == 1 || path[end - 2] == '/')));
    if (is_library_name(&n)) {
        n.text[n.length] = 0;
        const char *file = base()->library_file(n.text);
        return file ? file : path;
    }
    return path;
}

const char *root_map_at(int dir, const char *path, struct root_path *to)
{
    return !path || !*path || (*path == '/' && surely_unmapped(path)) ? path : map_at(dir, path, to);
}

const char *root_map_path(const char *path, struct root_path *to)
{
    return root_map_at(AT_FDCWD, path, to);
}

const char *root_library_name(const char *path, struct root_path *to)
{
    bool slash = false;
    for (const char *c = path; *c && !slash; c++)
        slash = *c == '/';
    if (!slash)
        return path; /* not a path, but a SONAME */
    struct name n;
    if (put_together(&n, AT_FDCWD, path, to)) {
        n.text[n.length] = 0;
        if (base()->library_file(n.text))
            return n.text;
    }
    return root_map_path(path, to);
}

char *root_unmap(char *path)
{
    const struct capsule_path_rules *all = &base()->paths;
    size_t length = path ? strlen(path) : 0;
    for (size_t i = 0; i < all->count; i++) {
        rule_t *rule = &all->rules[i]; /* to the root: a directory of the container that is the host's root */
        if (!rule->link || rule->to_len || length <= rule->from_len || path[rule->from_len] != '/' ||
            memcmp(path, rule->from, rule->from_len))
            continue;
        for (size_t to = 0, from = rule->from_len; from <= length;)
            path[to++] = path[from++];
        break;
    }
    return path;
}
