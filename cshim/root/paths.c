/* Files of the host that drivers name by absolute paths compiled into them (/usr/share/vulkan/icd.d, drirc.d): the
 * driver sees the host's, mounted below /run/capsule, while the same path means the runtime's file to the game. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "root.h"

const char *root_map_path(const char *path, char *buffer)
{
    if (!path || path[0] != '/')
        return path;
    for (size_t i = 0; i < base()->path_rule_count; i++) {
        const struct capsule_path_rule *rule = &base()->path_rules[i];
        size_t n = 0;
        while (n < rule->from_len && path[n] == rule->from[n])
            n++;
        if (n < rule->from_len || (path[n] && path[n] != '/'))
            continue;
        size_t rest = strlen(path + n);
        if (rule->to_len + rest >= ROOT_PATH_MAX)
            return path;
        memcpy(buffer, rule->to, rule->to_len);
        memcpy(buffer + rule->to_len, path + n, rest + 1);
        return buffer;
    }
    return path;
}

CAPSULE_IMPORT(int, open, (const char *, int, ...));
CAPSULE_IMPORT(int, open64, (const char *, int, ...));
CAPSULE_IMPORT(int, openat, (int, const char *, int, ...));
CAPSULE_IMPORT(int, openat64, (int, const char *, int, ...));

/* O_TMPFILE holds O_DIRECTORY's bit, so both bits must be there. */
static bool has_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define OPEN_WRAPPER(name, parameters, ...)                \
    CAPSULE_OVERRIDE(int, name, parameters)                \
    {                                                      \
        char buffer[ROOT_PATH_MAX];                        \
        mode_t mode = 0;                                   \
        if (has_mode(flags)) {                             \
            va_list arguments;                             \
            va_start(arguments, flags);                    \
            mode = va_arg(arguments, mode_t);              \
            va_end(arguments);                             \
        }                                                  \
        return base_##name(__VA_ARGS__, flags, mode);      \
    }

OPEN_WRAPPER(open, (const char *path, int flags, ...), root_map_path(path, buffer))
OPEN_WRAPPER(open64, (const char *path, int flags, ...), root_map_path(path, buffer))
OPEN_WRAPPER(openat, (int dir, const char *path, int flags, ...), dir, root_map_path(path, buffer))
OPEN_WRAPPER(openat64, (int dir, const char *path, int flags, ...), dir, root_map_path(path, buffer))

/* The rest differ only in their parameters: the path is mapped, then the runtime's function does the work. */
#define PATH_WRAPPER(type, name, parameters, types, ...)   \
    CAPSULE_IMPORT(type, name, types);                     \
    CAPSULE_OVERRIDE(type, name, parameters)               \
    {                                                      \
        char buffer[ROOT_PATH_MAX];                        \
        return base_##name(__VA_ARGS__);                   \
    }
#define MAPPED root_map_path(path, buffer)

PATH_WRAPPER(int, __open_2, (const char *path, int flags), (const char *, int), MAPPED, flags)
PATH_WRAPPER(int, __open64_2, (const char *path, int flags), (const char *, int), MAPPED, flags)
PATH_WRAPPER(FILE *, fopen, (const char *path, const char *mode), (const char *, const char *), MAPPED, mode)
PATH_WRAPPER(FILE *, fopen64, (const char *path, const char *mode), (const char *, const char *), MAPPED, mode)
PATH_WRAPPER(DIR *, opendir, (const char *path), (const char *), MAPPED)
PATH_WRAPPER(int, access, (const char *path, int mode), (const char *, int), MAPPED, mode)
PATH_WRAPPER(ssize_t, readlink, (const char *path, char *to, size_t size), (const char *, char *, size_t), MAPPED,
             to, size)
PATH_WRAPPER(char *, realpath, (const char *path, char *to), (const char *, char *), MAPPED, to)
PATH_WRAPPER(int, scandir,
             (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
              int (*compare)(const struct dirent **, const struct dirent **)),
             (const char *, struct dirent ***, int (*)(const struct dirent *),
              int (*)(const struct dirent **, const struct dirent **)),
             MAPPED, list, filter, compare)
PATH_WRAPPER(int, scandir64,
             (const char *path, struct dirent64 ***list, int (*filter)(const struct dirent64 *),
              int (*compare)(const struct dirent64 **, const struct dirent64 **)),
             (const char *, struct dirent64 ***, int (*)(const struct dirent64 *),
              int (*)(const struct dirent64 **, const struct dirent64 **)),
             MAPPED, list, filter, compare)
