/*
 * A library of the host that calls every function by which a driver reads files, with every form of path, and prints what
 * each gives. Where the plan maps the paths, a capsule must print what the host itself prints. A line is
 * "FUNCTION FORM: RESULT"; the number behind a result of -1 or a null pointer is errno.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forms.h"
#include "open_cost.h"
#include "show.h"

#define PROGRAM_NAME "capsule-program.conf"

/* On 32-bit ports these have names of their own for 64-bit time, which older releases lack. */
#if defined _TIME_BITS && __SIZEOF_LONG__ == 4
#define OTHER_NAMES 1
#else
#define OTHER_NAMES 0
#endif

/* Declared by no header, or only as what a header's inline function calls. */
extern int open_2(const char *, int) __asm__("__open_2");
extern int open64_2(const char *, int) __asm__("__open64_2");
extern int openat_2(int, const char *, int) __asm__("__openat_2");
extern int openat64_2(int, const char *, int) __asm__("__openat64_2");
extern int open_alias(const char *, int, ...) __asm__("__open");
extern int open64_alias(const char *, int, ...) __asm__("__open64");
extern FILE *io_fopen(const char *, const char *) __asm__("_IO_fopen");
extern ssize_t readlink_chk(const char *, char *, size_t, size_t) __asm__("__readlink_chk");
extern ssize_t readlinkat_chk(int, const char *, char *, size_t, size_t) __asm__("__readlinkat_chk");
extern char *realpath_chk(const char *, char *, size_t) __asm__("__realpath_chk");

static void files(int dir, const char *path)
{
	descriptor("openat", openat(dir, path, O_RDONLY));
	descriptor("openat64", openat64(dir, path, O_RDONLY));
	descriptor("__openat_2", openat_2(dir, path, O_RDONLY));
	descriptor("__openat64_2", openat64_2(dir, path, O_RDONLY));
	STAT(fstatat, stat, dir, path, &st, 0);
	STAT(fstatat64, stat64, dir, path, &st, AT_SYMLINK_NOFOLLOW);
	struct statx x;
	if (statx(dir, path, 0, STATX_BASIC_STATS, &x))
		show("statx", "failed");
	else
		show("statx", "mode %o", x.stx_mode);
	status("faccessat", faccessat(dir, path, R_OK, 0));
	status("faccessat-eaccess", faccessat(dir, path, R_OK, AT_EACCESS));
	status("readlinkat", (int)readlinkat(dir, path, text, 100));
	status("__readlinkat_chk", (int)readlinkat_chk(dir, path, text, 100, sizeof text));
}

static void absolute(const char *path)
{
	descriptor("open", open(path, O_RDONLY));
	descriptor("open64", open64(path, O_RDONLY | O_CLOEXEC));
	descriptor("__open", open_alias(path, O_RDONLY));
	descriptor("__open64", open64_alias(path, O_RDONLY));
	descriptor("__open_2", open_2(path, O_RDONLY));
	descriptor("__open64_2", open64_2(path, O_RDONLY));
	stream("fopen", fopen(path, "r"));
	stream("fopen64", fopen64(path, "re"));
	stream("_IO_fopen", io_fopen(path, "r"));
	stream("freopen", freopen(path, "r", fopen("/dev/null", "r")));
	stream("freopen64", freopen64(path, "r", fopen("/dev/null", "r")));
	STAT(stat, stat, path, &st);
	STAT(stat64, stat64, path, &st);
	STAT(lstat, stat, path, &st);
	STAT(lstat64, stat64, path, &st);
	status("access", access(path, R_OK));
	status("eaccess", eaccess(path, R_OK));
	status("euidaccess", euidaccess(path, R_OK));
	struct statfs fs;
	struct statfs64 fs64;
	struct statvfs vfs;
	struct statvfs64 vfs64;
	status("statfs", statfs(path, &fs));
	status("statfs64", statfs64(path, &fs64));
	status("statvfs", statvfs(path, &vfs));
	status("statvfs64", statvfs64(path, &vfs64));
	show("pathconf", "%d", pathconf(path, _PC_NAME_MAX) > 0);
	int watcher = inotify_init();
	show("inotify_add_watch", "%d", inotify_add_watch(watcher, path, IN_ACCESS) > 0);
	close(watcher);
	status("readlink", (int)readlink(path, text, 100));
	status("__readlink_chk", (int)readlink_chk(path, text, 100, sizeof text));
	char *name = realpath(path, NULL);
	string("realpath", name);
	free(name);
	string("__realpath_chk", realpath_chk(path, text, sizeof text));
	name = canonicalize_file_name(path);
	string("canonicalize_file_name", name);
	free(name);
}

/* The old functions, which programs built before glibc 2.33 call; here an object that they have filled in is not looked
 * into, as no header describes it any more. */
#if !OTHER_NAMES
#define OLD_STAT(name, parameters, ...)                                                                                \
	do {                                                                                                           \
		extern int old_##name parameters __asm__(#name);                                                       \
		struct stat64 st;                                                                                      \
		status(#name, old_##name(__VA_ARGS__));                                                                \
	} while (0)
#ifdef __i386__
#define STAT_VERSION 3
#else
#define STAT_VERSION 1
#endif

static void old(int dir, const char *path)
{
	OLD_STAT(__xstat, (int, const char *, void *), STAT_VERSION, path, &st);
	OLD_STAT(__xstat64, (int, const char *, void *), STAT_VERSION, path, &st);
	OLD_STAT(__lxstat, (int, const char *, void *), STAT_VERSION, path, &st);
	OLD_STAT(__lxstat64, (int, const char *, void *), STAT_VERSION, path, &st);
	OLD_STAT(__fxstatat, (int, int, const char *, void *, int), STAT_VERSION, dir, path, &st, 0);
	OLD_STAT(__fxstatat64, (int, int, const char *, void *, int), STAT_VERSION, dir, path, &st, 0);
}
#endif

/* Names of a directory's entries; the order is the file system's, so they are counted and added up. */
static unsigned names, sum;

static void count(const char *name)
{
	names++;
	for (; *name; name++)
		sum += (unsigned char)*name;
}

static void counted(const char *function, int result)
{
	if (result < 0)
		show(function, "failed");
	else
		show(function, "%u names, sum %u", names, sum);
	names = sum = 0;
}

#define SCAN(function, entry, sort, ...)                                                                               \
	do {                                                                                                           \
		struct entry **list;                                                                                   \
		int n = function(__VA_ARGS__, &list, NULL, sort);                                                      \
		for (int i = 0; i < n; i++) {                                                                          \
			count(list[i]->d_name);                                                                        \
			free(list[i]);                                                                                 \
		}                                                                                                      \
		if (n >= 0)                                                                                            \
			free(list);                                                                                    \
		counted(#function, n);                                                                                 \
	} while (0)

#define GLOB(function, type, release, pattern)                                                                         \
	do {                                                                                                           \
		type found;                                                                                            \
		int n = function(pattern, 0, NULL, &found);                                                            \
		if (n) {                                                                                               \
			show(#function, "status %d", n);                                                               \
			break;                                                                                         \
		}                                                                                                      \
		for (size_t i = 0; i < found.gl_pathc; i++)                                                            \
			show(#function, "%s", found.gl_pathv[i]);                                                      \
		release(&found);                                                                                       \
	} while (0)

#if !OTHER_NAMES
static const char *last(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int visit(const char *path, const struct stat *st, int kind)
{
	(void)st;
	count(last(path));
	names += (unsigned)kind * 100;
	return 0;
}

static int visit_new(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)where;
	return visit(path, st, kind);
}

static int visit64(const char *path, const struct stat64 *st, int kind)
{
	return visit(path, (const struct stat *)(const void *)st, kind);
}

static int visit64_new(const char *path, const struct stat64 *st, int kind, struct FTW *where)
{
	(void)where;
	return visit64(path, st, kind);
}

#define FTS_WALK(prefix, tree, entry, path)                                                                            \
	do {                                                                                                           \
		char *const paths[] = {(char *)path, (char *)"/nonexistent", NULL};                                    \
		tree *t = prefix##_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);                                      \
		for (entry * e; t && (e = prefix##_read(t));)                                                          \
			if (e->fts_info == FTS_F)                                                                      \
				count(e->fts_name);                                                                    \
		if (t)                                                                                                 \
			prefix##_close(t);                                                                             \
		counted(#prefix, t ? 0 : -1);                                                                          \
	} while (0)

static void walks(const char *path)
{
	counted("ftw", ftw(path, visit, 5));
	counted("ftw64", ftw64(path, visit64, 5));
	counted("nftw", nftw(path, visit_new, 5, FTW_PHYS));
	counted("nftw64", nftw64(path, visit64_new, 5, FTW_PHYS));
	FTS_WALK(fts, FTS, FTSENT, path);
	FTS_WALK(fts64, FTS64, FTSENT64, path);
}
#endif

static void directories(int dir, const char *path)
{
	SCAN(scandirat, dirent, alphasort, dir, path);
	SCAN(scandirat64, dirent64, alphasort64, dir, path);
	if (path[0] != '/')
		return;
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		count(e->d_name);
	counted("opendir", d ? closedir(d) : -1);
	SCAN(scandir, dirent, alphasort, path);
	SCAN(scandir64, dirent64, alphasort64, path);
#if !OTHER_NAMES
	walks(path);
#endif
	char pattern[PATH_MAX + 20];
	snprintf(pattern, sizeof pattern, "%s/*.conf", path);
	GLOB(glob, glob_t, globfree, pattern);
	GLOB(glob64, glob64_t, globfree64, pattern);
}

/* Running a program, each in a child. */
static void finished(const char *function, pid_t pid)
{
	int result = -1;
	waitpid(pid, &result, 0);
	show(function, "wait status %#x", (unsigned)result);
}

#define RUN(function, ...)                                                                                             \
	do {                                                                                                           \
		pid_t pid = vfork();                                                                                   \
		if (!pid) {                                                                                            \
			function(__VA_ARGS__);                                                                         \
			_exit(errno);                                                                                  \
		}                                                                                                      \
		finished(#function, pid);                                                                              \
	} while (0)

static void programs(const char *path)
{
	char *arguments[] = {(char *)"program", (char *)"12", NULL};
	char *environment[] = {(char *)"CAPSULE_TEST=5", NULL};
	RUN(execv, path, arguments);
	RUN(execve, path, arguments, environment);
	RUN(execvp, path, arguments);
	RUN(execvpe, path, arguments, environment);
	RUN(execveat, AT_FDCWD, path, arguments, environment, 0);
	RUN(execl, path, "program", "1", "2", "3", "4", "5", "6", "7", (char *)NULL);
	RUN(execlp, path, "program", "9", (char *)NULL);
	RUN(execle, path, "program", "9", (char *)NULL, environment);
	pid_t pid = -1;
	show("posix_spawn", "%d", posix_spawn(&pid, path, NULL, NULL, arguments, environment));
	finished("posix_spawn", pid);
	show("posix_spawnp", "%d", posix_spawnp(&pid, path, NULL, NULL, arguments, environment));
	finished("posix_spawnp", pid);
	int pidfd = -1;
	extern int pidfd_spawn(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			       char *const[], char *const[]);
	int error = pidfd_spawn(&pidfd, path, NULL, NULL, arguments, environment);
	siginfo_t info = {0};
	if (!error && waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED))
		error = errno;
	show("pidfd_spawn", "%d, status %d", error, info.si_status);
}

/* A file that a new process opens: the shell reads its standard input, and says by its status which one it is. */
static void opened_by_child(const char *path)
{
	char *arguments[] = {(char *)"sh", (char *)"-c", (char *)"read -r a b c; [ \"$b $c\" = 'the host' ] && exit 7", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	show("addopen", "%d", posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0));
	pid_t pid = -1;
	show("posix_spawn", "%d", posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ));
	finished("posix_spawn", pid);
	posix_spawn_file_actions_destroy(&actions);
}

/* Where the library is, as the loader tells: data may be looked for from there. */
static void beside_library(void)
{
	Dl_info self;
	char path[PATH_MAX];
	if (!dladdr((void *)&form, &self))
		return;
	snprintf(path, sizeof path, "%.*s/../../share/drirc.d/%s", (int)(strrchr(self.dli_fname, '/') - self.dli_fname),
		 self.dli_fname, FILE_NAME);
	form = "beside-library";
	absolute(path);
	files(AT_FDCWD, path);
}

static const struct {
	const char *dir, *path;
} relative_forms[] = {{"/usr/share", "drirc.d/" FILE_NAME}, {"/usr/share", "./drirc.d//" FILE_NAME},
		      {DIRECTORY, FILE_NAME}, {DIRECTORY, "../drirc.d/" FILE_NAME}, {"/", "usr/share/drirc.d/" FILE_NAME},
		      {"/", "lib/../share/drirc.d/" FILE_NAME}, {"/usr/lib", "../share/drirc.d/" FILE_NAME},
		      {"/usr", "share/drirc.d"}, {"/usr", "share/drirc.d/nonexistent"}};

void ct_paths(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof file_forms / sizeof *file_forms; i++) {
		form = strdup(file_forms[i]); /* on the heap, where a checker sees who reads too far */
		absolute(form);
		files(AT_FDCWD, form);
#if !OTHER_NAMES
		old(AT_FDCWD, form);
#endif
	}
	for (size_t i = 0; i < sizeof relative_forms / sizeof *relative_forms; i++) {
		int dir = open(relative_forms[i].dir, O_RDONLY | O_DIRECTORY);
		form = relative_forms[i].path;
		files(dir, form);
		directories(dir, form);
		if (!fchdir(dir)) {
			form = "working-directory";
			descriptor("open", open(relative_forms[i].path, O_RDONLY));
			STAT(stat, stat, relative_forms[i].path, &st);
		}
		close(dir);
	}
	static const char *const directory_forms[] = {DIRECTORY, DIRECTORY "/", "/usr/lib/../share/drirc.d",
						      "/usr/share/./drirc.d", "/nonexistent", "/usr/*/drirc.d"};
	for (size_t i = 0; i < sizeof directory_forms / sizeof *directory_forms; i++) {
		form = directory_forms[i];
		directories(AT_FDCWD, form);
	}
	form = DIRECTORY "/" PROGRAM_NAME;
	programs(form);
	form = "/lib/../share/drirc.d/" PROGRAM_NAME;
	programs(form);
	for (size_t i = 0; i < 6; i++) { /* those that are there */
		form = file_forms[i];
		opened_by_child(form);
	}
	beside_library();
}

/* What is not mapped is the runtime's. */
void ct_paths_of_runtime(void)
{
	form = "/usr/share/capsule-unmapped";
	absolute(form);
	files(AT_FDCWD, form);
	form = DIRECTORY "/../capsule-unmapped";
	absolute(form);
	directories(AT_FDCWD, "/usr/share/capsule-unmapped.d");
}

double ct_open_cost(const char *path, int turns, int kind) { return open_cost(path, turns, kind); }
