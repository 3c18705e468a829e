/* stat and its family. They are wrapped (paths.c says why) and, before glibc 2.33, also polyfilled: there libc.so
 * exports only __xstat and friends, and stat was an inline function in the program (glibc NEWS, 2.33). One wrapper
 * does both: it calls the runtime's stat where there is one, else __xstat. */
#include <sys/stat.h>

#include "polyfill.h"

#ifdef __x86_64__
#define STAT_VERSION 1 /* _STAT_VER, sysdeps/unix/sysv/linux/x86/bits/xstat.h */
#define MKNOD_VERSION 0
#elif defined __i386__
#define STAT_VERSION 3 /* likewise: _STAT_VER_LINUX, the only one since glibc 2.0 that a header names */
#define MKNOD_VERSION 1
#elif defined __aarch64__
#define STAT_VERSION 0 /* likewise: _STAT_VER_KERNEL, sysdeps/unix/sysv/linux/generic/bits/stat.h */
#define MKNOD_VERSION 0
#endif

/* From 2.33 on __xstat is a compatibility symbol that dlsym does not see, and stat a function: one of each pair is
 * there. The version argument of __xstat is always STAT_VERSION on this architecture. */
#define STAT_FAMILY(suffix, type)                                                                            \
    CAPSULE_IMPORT(int, stat##suffix, (const char *, type *));                                               \
    CAPSULE_IMPORT(int, lstat##suffix, (const char *, type *));                                              \
    CAPSULE_IMPORT(int, fstatat##suffix, (int, const char *, type *, int));                                  \
    CAPSULE_IMPORT(int, __xstat##suffix, (int, const char *, type *));                                       \
    CAPSULE_IMPORT(int, __lxstat##suffix, (int, const char *, type *));                                      \
    CAPSULE_IMPORT(int, __fxstat##suffix, (int, int, type *));                                               \
    CAPSULE_IMPORT(int, __fxstatat##suffix, (int, int, const char *, type *, int));                          \
    CAPSULE_OVERRIDE(int, stat##suffix, (const char *path, type *to))                                        \
    {                                                                                                        \
        ROOT_PATH(to_path);                                                                                  \
        path = root_map_path(path, &to_path);                                                                \
        int result = base_stat##suffix ? base_stat##suffix(path, to)                                         \
                                       : base___xstat##suffix(STAT_VERSION, path, to);                       \
        root_path_free(&to_path);                                                                            \
        return result;                                                                                       \
    }                                                                                                        \
    CAPSULE_OVERRIDE(int, lstat##suffix, (const char *path, type *to))                                       \
    {                                                                                                        \
        ROOT_PATH(to_path);                                                                                  \
        path = root_map_path(path, &to_path);                                                                \
        int result = base_lstat##suffix ? base_lstat##suffix(path, to)                                       \
                                        : base___lxstat##suffix(STAT_VERSION, path, to);                     \
        root_path_free(&to_path);                                                                            \
        return result;                                                                                       \
    }                                                                                                        \
    CAPSULE_OVERRIDE(int, fstatat##suffix, (int dir, const char *path, type *to, int flags))                 \
    {                                                                                                        \
        ROOT_PATH(to_path);                                                                                  \
        path = root_map_at(dir, path, &to_path);                                                             \
        int result = base_fstatat##suffix ? base_fstatat##suffix(dir, path, to, flags)                       \
                                          : base___fxstatat##suffix(STAT_VERSION, dir, path, to, flags);     \
        root_path_free(&to_path);                                                                            \
        return result;                                                                                       \
    }                                                                                                        \
    CAPSULE_OVERRIDE(int, __xstat##suffix, (int version, const char *path, type *to))                        \
    {                                                                                                        \
        (void)version;                                                                                       \
        return override_stat##suffix(path, to);                                                              \
    }                                                                                                        \
    CAPSULE_OVERRIDE(int, __lxstat##suffix, (int version, const char *path, type *to))                       \
    {                                                                                                        \
        (void)version;                                                                                       \
        return override_lstat##suffix(path, to);                                                             \
    }                                                                                                        \
    CAPSULE_OVERRIDE(int, __fxstatat##suffix, (int version, int dir, const char *path, type *to, int flags)) \
    {                                                                                                        \
        (void)version;                                                                                       \
        return override_fstatat##suffix(dir, path, to, flags);                                               \
    }                                                                                                        \
    CAPSULE_POLYFILL(int, fstat##suffix, (int fd, type *to))                                                 \
    {                                                                                                        \
        return base___fxstat##suffix(STAT_VERSION, fd, to);                                                  \
    }

STAT_FAMILY(, struct stat)
STAT_FAMILY(64, struct stat64)

/* glibc 2.28; the kernel has it since 4.11. */
CAPSULE_IMPORT(int, statx, (int, const char *, int, unsigned, struct statx *));
CAPSULE_OVERRIDE(int, statx, (int dir, const char *path, int flags, unsigned mask, struct statx *to))
{
    ROOT_PATH(to_path);
    path = root_map_at(dir, path, &to_path);
    int result = base_statx ? base_statx(dir, path, flags, mask, to)
                            : (int)sys_call(SYS_statx, dir, path, flags, mask, to);
    root_path_free(&to_path);
    return result;
}

CAPSULE_IMPORT(int, __xmknod, (int, const char *, mode_t, dev_t *));
CAPSULE_IMPORT(int, __xmknodat, (int, int, const char *, mode_t, dev_t *));

CAPSULE_POLYFILL(int, mknod, (const char *path, mode_t mode, dev_t device))
{
    return base___xmknod(MKNOD_VERSION, path, mode, &device);
}

CAPSULE_POLYFILL(int, mknodat, (int dir, const char *path, mode_t mode, dev_t device))
{
    return base___xmknodat(MKNOD_VERSION, dir, path, mode, &device);
}
