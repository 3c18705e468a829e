/* Listing directories. A mapped directory lists the host's files, those that the plan names. */
#include <dirent.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "paths.h"

PATH_WRAPPER(DIR *, opendir, (const char *path), (const char *), MAPPED)

#define SCANDIR(suffix, entry)                                                                                 \
    PATH_WRAPPER(int, scandir##suffix,                                                                         \
                 (const char *path, struct entry ***list, int (*filter)(const struct entry *),                 \
                  int (*compare)(const struct entry **, const struct entry **)),                               \
                 (const char *, struct entry ***, int (*)(const struct entry *),                               \
                  int (*)(const struct entry **, const struct entry **)),                                      \
                 MAPPED, list, filter, compare)                                                                \
    PATH_WRAPPER(int, scandirat##suffix,                                                                       \
                 (int dir, const char *path, struct entry ***list, int (*filter)(const struct entry *),        \
                  int (*compare)(const struct entry **, const struct entry **)),                               \
                 (int, const char *, struct entry ***, int (*)(const struct entry *),                          \
                  int (*)(const struct entry **, const struct entry **)),                                      \
                 dir, MAPPED_AT, list, filter, compare)

SCANDIR(, dirent)
SCANDIR(64, dirent64)

/* These call back with, or list, the names in the container, by which everything can be opened. */
#define WALK(suffix, type)                                                                                        \
    PATH_WRAPPER(int, ftw##suffix,                                                                                \
                 (const char *path, int (*visit)(const char *, const struct type *, int), int limit),             \
                 (const char *, int (*)(const char *, const struct type *, int), int), MAPPED, visit, limit)      \
    PATH_WRAPPER(int, nftw##suffix,                                                                               \
                 (const char *path, int (*visit)(const char *, const struct type *, int, struct FTW *), int limit, \
                  int flags),                                                                                     \
                 (const char *, int (*)(const char *, const struct type *, int, struct FTW *), int, int), MAPPED, \
                 visit, limit, flags)

WALK(, stat)
WALK(64, stat64)

/* fts_open keeps copies of the paths. fts64_open is of glibc 2.23. */
CAPSULE_IMPORT(void *, malloc, (size_t));
CAPSULE_IMPORT(void, free, (void *));

static char **map_all(char *const *paths)
{
    size_t count = 0;
    while (paths[count])
        count++;
    char **all = base_malloc((count + 1) * sizeof *all + count * sizeof(struct root_path));
    for (size_t i = 0; all && i < count; i++) {
        struct root_path *to = (struct root_path *)(all + count + 1) + i;
        to->pages = NULL;
        all[i] = (char *)root_map_path(paths[i], to);
    }
    if (all)
        all[count] = NULL;
    else
        set_errno(ENOMEM);
    return all;
}

static void free_all(char **all)
{
    size_t count = 0;
    while (all && all[count])
        count++;
    for (size_t i = 0; i < count; i++)
        root_path_free((struct root_path *)(all + count + 1) + i);
    base_free(all);
}

#define FTS(suffix, tree, node)                                                                                 \
    CAPSULE_IMPORT(tree *, fts##suffix##_open, (char *const *, int, int (*)(const node **, const node **)));    \
    CAPSULE_OVERRIDE(tree *, fts##suffix##_open,                                                                \
                     (char *const *paths, int options, int (*compare)(const node **, const node **)))           \
    {                                                                                                           \
        char **all = map_all(paths);                                                                            \
        tree *result = all && base_fts##suffix##_open ? base_fts##suffix##_open(all, options, compare) : NULL;  \
        free_all(all);                                                                                          \
        return result;                                                                                          \
    }

FTS(, FTS, FTSENT)
FTS(64, FTS64, FTSENT64)

/* glob walks with the wrappers in place of its own functions (GLOB_ALTDIRFUNC): a pattern may have a star before what is
 * mapped, and the names in the result are those that the pattern describes. Whoever brings functions of his own has
 * these wrappers in them already. */
#define GLOB(suffix, type, entry)                                                                               \
    int override_stat##suffix(const char *path, struct type *to) __asm__("override$stat" #suffix);              \
    int override_lstat##suffix(const char *path, struct type *to) __asm__("override$lstat" #suffix);            \
    CAPSULE_IMPORT(struct entry *, readdir##suffix, (DIR *));                                                   \
    static struct entry *read_for_glob##suffix(void *dir)                                                       \
    {                                                                                                           \
        return base_readdir##suffix(dir);                                                                       \
    }                                                                                                           \
    CAPSULE_IMPORT(int, glob##suffix, (const char *, int, int (*)(const char *, int), glob##suffix##_t *));     \
    CAPSULE_OVERRIDE(int, glob##suffix,                                                                         \
                     (const char *pattern, int flags, int (*failed)(const char *, int), glob##suffix##_t *result)) \
    {                                                                                                           \
        if (flags & GLOB_ALTDIRFUNC)                                                                            \
            return base_glob##suffix(pattern, flags, failed, result);                                           \
        glob##suffix##_t before = *result;                                                                      \
        result->gl_opendir = open_for_glob;                                                                     \
        result->gl_readdir = read_for_glob##suffix;                                                             \
        result->gl_closedir = close_for_glob;                                                                   \
        result->gl_stat = override_stat##suffix;                                                                \
        result->gl_lstat = override_lstat##suffix;                                                              \
        int status = base_glob##suffix(pattern, flags | GLOB_ALTDIRFUNC, failed, result);                       \
        result->gl_flags &= ~GLOB_ALTDIRFUNC;                                                                   \
        result->gl_opendir = before.gl_opendir;                                                                 \
        result->gl_readdir = before.gl_readdir;                                                                 \
        result->gl_closedir = before.gl_closedir;                                                               \
        result->gl_stat = before.gl_stat;                                                                       \
        result->gl_lstat = before.gl_lstat;                                                                     \
        return status;                                                                                          \
    }

CAPSULE_IMPORT(int, closedir, (DIR *));
static void *open_for_glob(const char *path)
{
    return override_opendir(path);
}

static void close_for_glob(void *dir)
{
    base_closedir(dir);
}

GLOB(, stat, dirent)
GLOB(64, stat64, dirent64)
