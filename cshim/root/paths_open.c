/* Opening files by path, and asking what there is at a path; stat.c has stat. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "paths.h"

/* O_TMPFILE holds O_DIRECTORY's bit, so both bits must be there. */
static bool has_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define OPEN_WRAPPER(name, parameters, types, ...) \
    CAPSULE_IMPORT(int, name, types);                        \
    CAPSULE_OVERRIDE(int, name, parameters)                  \
    {                                                        \
        ROOT_PATH(to_path);                                  \
        mode_t mode = 0;                                     \
        if (has_mode(flags)) {                               \
            va_list arguments;                               \
            va_start(arguments, flags);                      \
            mode = va_arg(arguments, mode_t);                \
            va_end(arguments);                               \
        }                                                    \
        int result = base_##name(__VA_ARGS__, flags, mode);  \
        root_path_free(&to_path);                            \
        return result;                                       \
    }
#define OPEN(name) OPEN_WRAPPER(name, (const char *path, int flags, ...), (const char *, int, ...), MAPPED)
#define OPENAT(name)                                                                                            \
    OPEN_WRAPPER(name, (int dir, const char *path, int flags, ...), (int, const char *, int, ...), dir, MAPPED_AT)

OPEN(open)
OPEN(open64)
OPEN(__open)
OPEN(__open64)
OPENAT(openat)
OPENAT(openat64)

/* The fortified ones, for calls without a mode. */
PATH_WRAPPER(int, __open_2, (const char *path, int flags), (const char *, int), MAPPED, flags)
PATH_WRAPPER(int, __open64_2, (const char *path, int flags), (const char *, int), MAPPED, flags)
PATH_WRAPPER(int, __openat_2, (int dir, const char *path, int flags), (int, const char *, int), dir, MAPPED_AT, flags)
PATH_WRAPPER(int, __openat64_2, (int dir, const char *path, int flags), (int, const char *, int), dir, MAPPED_AT, flags)

PATH_WRAPPER(FILE *, fopen, (const char *path, const char *mode), (const char *, const char *), MAPPED, mode)
PATH_WRAPPER(FILE *, fopen64, (const char *path, const char *mode), (const char *, const char *), MAPPED, mode)
PATH_WRAPPER(FILE *, _IO_fopen, (const char *path, const char *mode), (const char *, const char *), MAPPED, mode)
PATH_WRAPPER(FILE *, freopen, (const char *path, const char *mode, FILE *stream),
             (const char *, const char *, FILE *), MAPPED, mode, stream)
PATH_WRAPPER(FILE *, freopen64, (const char *path, const char *mode, FILE *stream),
             (const char *, const char *, FILE *), MAPPED, mode, stream)

PATH_WRAPPER(int, access, (const char *path, int mode), (const char *, int), MAPPED, mode)
PATH_WRAPPER(int, eaccess, (const char *path, int mode), (const char *, int), MAPPED, mode)
PATH_WRAPPER(int, euidaccess, (const char *path, int mode), (const char *, int), MAPPED, mode)
PATH_WRAPPER(int, faccessat, (int dir, const char *path, int mode, int flags), (int, const char *, int, int), dir,
             MAPPED_AT, mode, flags)

PATH_WRAPPER(int, statfs, (const char *path, struct statfs *to), (const char *, struct statfs *), MAPPED, to)
PATH_WRAPPER(int, statfs64, (const char *path, struct statfs64 *to), (const char *, struct statfs64 *), MAPPED, to)
PATH_WRAPPER(int, statvfs, (const char *path, struct statvfs *to), (const char *, struct statvfs *), MAPPED, to)
PATH_WRAPPER(int, statvfs64, (const char *path, struct statvfs64 *to), (const char *, struct statvfs64 *), MAPPED, to)
PATH_WRAPPER(long, pathconf, (const char *path, int what), (const char *, int), MAPPED, what)
PATH_WRAPPER(int, inotify_add_watch, (int watcher, const char *path, uint32_t events), (int, const char *, uint32_t),
             watcher, MAPPED, events)

PATH_WRAPPER(ssize_t, readlink, (const char *path, char *to, size_t size), (const char *, char *, size_t), MAPPED, to,
             size)
PATH_WRAPPER(ssize_t, __readlink_chk, (const char *path, char *to, size_t size, size_t room),
             (const char *, char *, size_t, size_t), MAPPED, to, size, room)
PATH_WRAPPER(ssize_t, readlinkat, (int dir, const char *path, char *to, size_t size),
             (int, const char *, char *, size_t), dir, MAPPED_AT, to, size)
PATH_WRAPPER(ssize_t, __readlinkat_chk, (int dir, const char *path, char *to, size_t size, size_t room),
             (int, const char *, char *, size_t, size_t), dir, MAPPED_AT, to, size, room)

/* These tell a name, which is the host's again: drivers compare it with other names, or go on from it. */
#define NAME_WRAPPER(name, parameters, types, ...)       \
    CAPSULE_IMPORT(char *, name, types);                 \
    CAPSULE_OVERRIDE(char *, name, parameters)           \
    {                                                    \
        ROOT_PATH(to_path);                              \
        char *result = base_##name(__VA_ARGS__);         \
        root_path_free(&to_path);                        \
        return root_unmap(result);                       \
    }

NAME_WRAPPER(realpath, (const char *path, char *to), (const char *, char *), MAPPED, to)
NAME_WRAPPER(__realpath_chk, (const char *path, char *to, size_t room), (const char *, char *, size_t), MAPPED, to, room)
NAME_WRAPPER(canonicalize_file_name, (const char *path), (const char *), MAPPED)

/* glibc 2.43, in older ones a polyfill. What bounds the way to the file (RESOLVE_BENEATH, RESOLVE_IN_ROOT) keeps it
 * below the directory, so there is nothing to map. */
struct open_how;
struct how {
    uint64_t flags, mode, resolve; /* linux/openat2.h, Linux 5.6 */
};
#define HOW_BOUNDED 0x18

int polyfill_openat2(int dir, const char *path, const struct open_how *how, size_t size) __asm__("polyfill$openat2");
CAPSULE_IMPORT(int, openat2, (int, const char *, const struct open_how *, size_t));
CAPSULE_OVERRIDE(int, openat2, (int dir, const char *path, const struct open_how *how, size_t size))
{
    ROOT_PATH(to_path);
    bool bounded = how && size >= sizeof(struct how) && ((const struct how *)how)->resolve & HOW_BOUNDED;
    if (!bounded)
        path = MAPPED_AT;
    int result = base_openat2 ? base_openat2(dir, path, how, size) : polyfill_openat2(dir, path, how, size);
    root_path_free(&to_path);
    return result;
}
