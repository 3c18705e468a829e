/* The mount calls, in a child with a mount namespace of its own; and stat's family, whose functions glibc 2.33 added. */
#include "driver.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define CMD_CREATE 6     /* FSCONFIG_CMD_CREATE, linux/mount.h */
#define SET_STRING 1     /* FSCONFIG_SET_STRING */
#define FROM_EMPTY 0x4   /* MOVE_MOUNT_F_EMPTY_PATH */
#define TREE_CLONE 1     /* OPEN_TREE_CLONE */
#define ATTR_RDONLY 1    /* MOUNT_ATTR_RDONLY */

static int (*p_fsopen)(const char *, unsigned);
static int (*p_fsconfig)(int, unsigned, const char *, const void *, int);
static int (*p_fsmount)(int, unsigned, unsigned);
static int (*p_fspick)(int, const char *, unsigned);
static int (*p_move_mount)(int, const char *, int, const char *, unsigned);
static int (*p_open_tree)(int, const char *, unsigned);
static int (*p_mount_setattr)(int, const char *, unsigned, const uint64_t *, size_t);

static void write_map(const char *path, unsigned id)
{
    FILE *file = fopen(path, "w");
    if (file) {
        fprintf(file, "0 %u 1", id);
        fclose(file);
    }
}

/* Whether this process may mount: as root, or as the root of a user namespace of its own. */
static bool enter_namespace(void)
{
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWNS)) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
            return false;
        FILE *file = fopen("/proc/self/setgroups", "w");
        if (file) {
            fputs("deny", file);
            fclose(file);
        }
        write_map("/proc/self/uid_map", uid);
        write_map("/proc/self/gid_map", gid);
    }
    return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

#define NO_NAMESPACE 77

/* All seven in one story: a tmpfs is made, mounted on /tmp, made read-only, cloned and looked at. */
static void mount_story(void *unused)
{
    (void)unused;
    if (!enter_namespace())
        _exit(NO_NAMESPACE);
    int fs = p_fsopen("tmpfs", 1 /* FSOPEN_CLOEXEC */);
    EXPECT(fs >= 0);
    EQUAL(p_fsconfig(fs, SET_STRING, "size", "1m", 0), 0);
    EQUAL(p_fsconfig(fs, CMD_CREATE, NULL, NULL, 0), 0);
    int mounted = p_fsmount(fs, 1, 0);
    EXPECT(mounted >= 0);
    EQUAL(p_move_mount(mounted, "", AT_FDCWD, "/tmp", FROM_EMPTY), 0);
    int file = open("/tmp/new", O_CREAT | O_WRONLY, 0600);
    EXPECT(file >= 0);
    close(file);
    uint64_t read_only[4] = {ATTR_RDONLY};
    EQUAL(p_mount_setattr(AT_FDCWD, "/tmp", 0, read_only, sizeof read_only), 0);
    FAILS(open("/tmp/new2", O_CREAT | O_WRONLY, 0600), -1, EROFS);
    int tree = p_open_tree(AT_FDCWD, "/tmp", TREE_CLONE);
    EXPECT(tree >= 0);
    EXPECT(openat(tree, "new", O_RDONLY) >= 0);
    EXPECT(p_fspick(AT_FDCWD, "/tmp", 0) >= 0);
}

static void judge_story(void *implementation)
{
    (void)implementation;
    if (!p_fsopen || !p_fsconfig || !p_fsmount || !p_fspick || !p_move_mount || !p_open_tree || !p_mount_setattr)
        return;
    int status = status_of(mount_story, NULL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE)
        printf("note: no mount namespace, so only the failures of the mount calls were seen\n");
    else
        EQUAL(status, 0);
}

/* Errors that do not depend on rights. Without the right to mount EPERM comes first. */
#define FAILS_OR_EPERM(call, error) (errno = 0, EXPECT((call) == -1 && (errno == (error) || errno == EPERM)))

static void judge_fsopen(void *implementation)
{
    p_fsopen = implementation;
    FAILS_OR_EPERM(p_fsopen("tmpfs", 0x40000000), EINVAL);
    FAILS_OR_EPERM(p_fsopen("no such file system", 0), ENODEV);
}

static void judge_fsconfig(void *implementation)
{
    p_fsconfig = implementation;
    FAILS_OR_EPERM(p_fsconfig(-1, CMD_CREATE, NULL, NULL, 0), EINVAL);
}

static void judge_fsmount(void *implementation)
{
    p_fsmount = implementation;
    FAILS_OR_EPERM(p_fsmount(-1, 0, 0), EBADF);
}

static void judge_fspick(void *implementation)
{
    p_fspick = implementation;
    FAILS_OR_EPERM(p_fspick(AT_FDCWD, "/nonexistent", 0), ENOENT);
}

static void judge_move_mount(void *implementation)
{
    p_move_mount = implementation;
    FAILS_OR_EPERM(p_move_mount(AT_FDCWD, "/nonexistent", AT_FDCWD, "/", 0), ENOENT);
    FAILS_OR_EPERM(p_move_mount(AT_FDCWD, "/", AT_FDCWD, "/", 0x40000000), EINVAL);
}

static void judge_open_tree(void *implementation)
{
    p_open_tree = implementation;
    FAILS_OR_EPERM(p_open_tree(AT_FDCWD, "/nonexistent", 0), ENOENT);
    int fd = p_open_tree(AT_FDCWD, "/", O_CLOEXEC); /* without OPEN_TREE_CLONE it is an O_PATH descriptor */
    EXPECT(fd >= 0);
    close(fd);
}

static void judge_mount_setattr(void *implementation)
{
    p_mount_setattr = implementation;
    uint64_t nothing[4] = {0};
    FAILS_OR_EPERM(p_mount_setattr(AT_FDCWD, "/", 0, nothing, 3), EINVAL);
    FAILS_OR_EPERM(p_mount_setattr(AT_FDCWD, "/", 0x40000000, nothing, sizeof nothing), EINVAL);
}

/* fstat of the root calls __fxstat, which from 2.33 on dlsym does not see: there is nothing to judge then. */
static void judge_fstat(void *implementation)
{
    int (*f)(int, struct stat *) = implementation;
    if (is_polyfill && !runtime("__fxstat"))
        return;
    struct stat s;
    int null = open("/dev/null", O_RDONLY);
    memset(&s, 0, sizeof s);
    EQUAL(f(null, &s), 0);
    EXPECT(S_ISCHR(s.st_mode) && s.st_rdev == makedev(1, 3));
    FAILS(f(-1, &s), -1, EBADF);
    close(null);
}

static void judge_mknod(void *implementation)
{
    int (*f)(const char *, mode_t, dev_t) = implementation;
    if (is_polyfill && !runtime("__xmknod"))
        return;
    char path[64];
    snprintf(path, sizeof path, "/tmp/polyfills-%d", (int)getpid());
    EQUAL(f(path, S_IFIFO | 0600, 0), 0);
    FAILS(f(path, S_IFIFO | 0600, 0), -1, EEXIST);
    EQUAL(unlink(path), 0);
}

static void judge_mknodat(void *implementation)
{
    int (*f)(int, const char *, mode_t, dev_t) = implementation;
    if (is_polyfill && !runtime("__xmknodat"))
        return;
    char name[64];
    int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
    snprintf(name, sizeof name, "polyfills-%d", (int)getpid());
    EQUAL(f(dir, name, S_IFIFO | 0600, 0), 0);
    FAILS(f(dir, name, S_IFIFO | 0600, 0), -1, EEXIST);
    EQUAL(unlinkat(dir, name, 0), 0);
    close(dir);
}

static void check_each(void (*one)(const char *, check_function *))
{
    p_fsopen = NULL, p_fsconfig = NULL, p_fsmount = NULL, p_fspick = NULL;
    p_move_mount = NULL, p_open_tree = NULL, p_mount_setattr = NULL;
    one("fsopen", judge_fsopen);
    one("fsconfig", judge_fsconfig);
    one("fsmount", judge_fsmount);
    one("fspick", judge_fspick);
    one("move_mount", judge_move_mount);
    one("open_tree", judge_open_tree);
    one("mount_setattr", judge_mount_setattr);
    one("fsmount", judge_story);
}

void check_mounts(void)
{
    check_each(check_polyfill);
    check_each(check_runtime);
    check("fstat", judge_fstat);
    check("fstat64", judge_fstat);
    check("mknod", judge_mknod);
    check("mknodat", judge_mknodat);
}
