/* stat and its family, utimes and its family, with 64-bit time. */
#include "time64.h"

#ifdef CAPSULE_TIME64
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

/* struct stat of -D_TIME_BITS=64 (bits/struct_stat_time64_helper.h). */
struct stat64_time64 {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev;
    int64_t size;
    int32_t blksize;
    int64_t blocks;
    struct timespec64 accessed, modified, changed;
};

#ifdef __i386__
_Static_assert(sizeof(struct stat64_time64) == 108, "stat64_time64");
#endif

static struct timespec64 statx_time(const struct statx_timestamp *t)
{
    return (struct timespec64){t->tv_sec, (int32_t)t->tv_nsec, 0};
}

/* gnu_dev_makedev of glibc (bits/sysmacros.h). */
static uint64_t device(uint32_t major, uint32_t minor)
{
    return (uint64_t)(major & 0xfffff000u) << 32 | (uint64_t)(major & 0xfffu) << 8 |
           (uint64_t)(minor & 0xffffff00u) << 12 | (minor & 0xffu);
}

static void from_statx(struct stat64_time64 *to, const struct statx *s)
{
    *to = (struct stat64_time64){
        .dev = device(s->stx_dev_major, s->stx_dev_minor), .ino = s->stx_ino, .mode = s->stx_mode,
        .nlink = s->stx_nlink, .uid = s->stx_uid, .gid = s->stx_gid,
        .rdev = device(s->stx_rdev_major, s->stx_rdev_minor), .size = (int64_t)s->stx_size,
        .blksize = (int32_t)s->stx_blksize, .blocks = (int64_t)s->stx_blocks,
        .accessed = statx_time(&s->stx_atime), .modified = statx_time(&s->stx_mtime),
        .changed = statx_time(&s->stx_ctime),
    };
}

static void from_stat64(struct stat64_time64 *to, const struct stat64 *s)
{
    *to = (struct stat64_time64){
        .dev = s->st_dev, .ino = s->st_ino, .mode = s->st_mode, .nlink = s->st_nlink, .uid = s->st_uid,
        .gid = s->st_gid, .rdev = s->st_rdev, .size = s->st_size, .blksize = s->st_blksize, .blocks = s->st_blocks,
        .accessed = wide_timespec(s->st_atim), .modified = wide_timespec(s->st_mtim),
        .changed = wide_timespec(s->st_ctim),
    };
}

/* stat.c has these, with mapped paths. */
int override_fstatat64(int dir, const char *path, struct stat64 *to, int flags) __asm__("override$fstatat64");
CAPSULE_IMPORT(int, fstat64, (int, struct stat64 *));
CAPSULE_IMPORT(int, __fxstat64, (int, int, struct stat64 *));
#define STAT_VERSION 3 /* as in stat.c */

/* statx (Linux 4.11) is the only call with 64-bit times. Wrappers and polyfills at once: a runtime that has these
 * functions does not map paths. */
CAPSULE_POLYFILL(int, __fstatat64_time64, (int dir, const char *path, struct stat64_time64 *to, int flags))
{
    ROOT_PATH(to_path);
    struct statx wide;
    long result = sys_raw(SYS_statx, dir, root_map_at(dir, path, &to_path), flags | AT_STATX_SYNC_AS_STAT,
                          STATX_BASIC_STATS, &wide);
    root_path_free(&to_path);
    if (!result)
        from_statx(to, &wide);
    if (!kernel_lacks(result))
        return (int)syscall_result(result);
    struct stat64 narrow;
    if (override_fstatat64(dir, path, &narrow, flags))
        return -1;
    from_stat64(to, &narrow);
    return 0;
}

CAPSULE_POLYFILL(int, __stat64_time64, (const char *path, struct stat64_time64 *to))
{
    return polyfill___fstatat64_time64(AT_FDCWD, path, to, 0);
}

CAPSULE_POLYFILL(int, __lstat64_time64, (const char *path, struct stat64_time64 *to))
{
    return polyfill___fstatat64_time64(AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW);
}

#define WRAPPER_TOO(name)                                                      \
    extern typeof(polyfill_##name) override_##name __asm__("override$" #name)   \
        __attribute__((visibility("default"), used, alias("polyfill$" #name)))
WRAPPER_TOO(__fstatat64_time64);
WRAPPER_TOO(__stat64_time64);
WRAPPER_TOO(__lstat64_time64);

CAPSULE_POLYFILL(int, __fstat64_time64, (int fd, struct stat64_time64 *to))
{
    struct statx wide;
    long result = fd < 0 ? -EBADF : sys_raw(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &wide);
    if (!result)
        from_statx(to, &wide);
    if (!kernel_lacks(result))
        return (int)syscall_result(result);
    struct stat64 narrow;
    if (base_fstat64 ? base_fstat64(fd, &narrow) : base___fxstat64(STAT_VERSION, fd, &narrow))
        return -1;
    from_stat64(to, &narrow);
    return 0;
}

/* The times of a file: the kernel takes 64 bits whatever the runtime's libc is. */
CAPSULE_IMPORT(int, utimensat, (int, const char *, const struct timespec *, int));
CAPSULE_IMPORT(int, futimens, (int, const struct timespec *));

static bool narrow_file_time(struct timespec *to, const struct timespec64 *from)
{
    if (from->nsec == UTIME_NOW || from->nsec == UTIME_OMIT) {
        *to = (struct timespec){0, from->nsec}; /* the seconds mean nothing */
        return true;
    }
    return narrow_timespec(to, from);
}

static int set_times(int dir, const char *path, const struct timespec64 *times, int flags)
{
    long result = sys_raw(SYS_utimensat_time64, dir, path, times, flags);
    if (!kernel_lacks(result))
        return (int)syscall_result(result);
    struct timespec narrow[2];
    if (times && !(narrow_file_time(&narrow[0], &times[0]) && narrow_file_time(&narrow[1], &times[1])))
        return -1;
    return path ? base_utimensat(dir, path, times ? narrow : NULL, flags) : base_futimens(dir, times ? narrow : NULL);
}

/* Microseconds are checked here: as nanoseconds some that are not valid would be, or mean "now". */
static int set_times_in_us(int dir, const char *path, const struct timeval64 *times, int flags)
{
    struct timespec64 in_ns[2];
    for (int i = 0; times && i < 2; i++) {
        if (times[i].usec < 0 || times[i].usec >= 1000000)
            return set_errno(EINVAL);
        in_ns[i] = (struct timespec64){times[i].sec, (int32_t)times[i].usec * 1000, 0};
    }
    return set_times(dir, path, times ? in_ns : NULL, flags);
}

CAPSULE_POLYFILL(int, __utimensat64, (int dir, const char *path, const struct timespec64 *times, int flags))
{
    return path ? set_times(dir, path, times, flags) : set_errno(EINVAL);
}

CAPSULE_POLYFILL(int, __futimens64, (int fd, const struct timespec64 *times))
{
    return fd < 0 ? set_errno(EBADF) : set_times(fd, NULL, times, 0);
}

CAPSULE_POLYFILL(int, __futimes64, (int fd, const struct timeval64 *times))
{
    return fd < 0 ? set_errno(EBADF) : set_times_in_us(fd, NULL, times, 0);
}

CAPSULE_POLYFILL(int, __futimesat64, (int dir, const char *path, const struct timeval64 *times))
{
    return set_times_in_us(dir, path, times, 0);
}

CAPSULE_POLYFILL(int, __utimes64, (const char *path, const struct timeval64 *times))
{
    return set_times_in_us(AT_FDCWD, path, times, 0);
}

CAPSULE_POLYFILL(int, __lutimes64, (const char *path, const struct timeval64 *times))
{
    return set_times_in_us(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

CAPSULE_POLYFILL(int, __utime64, (const char *path, const int64_t *times)) /* accessed, modified */
{
    struct timespec64 both[2];
    for (int i = 0; times && i < 2; i++)
        both[i] = (struct timespec64){times[i], 0, 0};
    return set_times(AT_FDCWD, path, times ? both : NULL, 0);
}

/* struct stat is in glob_t only as the parameter of functions that GLOB_ALTDIRFUNC brings: none here, but those that
 * paths_list.c puts in. */
int override_glob64(const char *, int, int (*)(const char *, int), glob64_t *) __asm__("override$glob64");
CAPSULE_IMPORT(int, __glob64_time64, (const char *, int, int (*)(const char *, int), glob64_t *));
CAPSULE_IMPORT(void, globfree64, (glob64_t *));

CAPSULE_POLYFILL(int, __glob64_time64,
                 (const char *pattern, int flags, int (*failed)(const char *, int), glob64_t *result))
{
    return flags & GLOB_ALTDIRFUNC ? GLOB_ABORTED : override_glob64(pattern, flags, failed, result);
}

CAPSULE_OVERRIDE(int, __glob64_time64,
                 (const char *pattern, int flags, int (*failed)(const char *, int), glob64_t *result))
{
    return flags & GLOB_ALTDIRFUNC && base___glob64_time64
               ? base___glob64_time64(pattern, flags, failed, result)
               : polyfill___glob64_time64(pattern, flags, failed, result);
}

CAPSULE_POLYFILL(void, __globfree64_time64, (glob64_t * result))
{
    base_globfree64(result);
}
#endif
