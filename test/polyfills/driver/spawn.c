/* File actions, the capsule's posix_spawn, pidfd_spawn. The program that is spawned is the driver itself: it prints
 * what it found, or ends with a status. */
#include "driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#define WAIT_PIDFD 3 /* P_PIDFD */

extern char **environ;

/* "report": the working directory, descriptors, groups, signals. "exit N". "terminal N": whether that terminal's
 * foreground group is this process's. */
static void report(void)
{
    char cwd[4096];
    printf("cwd=%s fds=", getcwd(cwd, sizeof cwd));
    for (int fd = 0; fd < 1000; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d,", fd);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf(" leader=%d session=%d policy=%d mask=", getpgrp() == getpid(), getsid(0) == getpid(), sched_getscheduler(0));
    for (int s = 1; s < 32; s++)
        if (sigismember(&mask, s))
            printf("%d,", s);
    printf(" ignored=");
    for (int s = 1; s < 32; s++) {
        struct sigaction action;
        if (!sigaction(s, NULL, &action) && action.sa_handler == SIG_IGN)
            printf("%d,", s);
    }
    printf(" x=%s\n", getenv("X") ? getenv("X") : "");
}

int helper(int argc, char **argv)
{
    if (!strcmp(argv[1], "exit") && argc > 2)
        return decimal(argv[2]);
    if (!strcmp(argv[1], "terminal") && argc > 2)
        return tcgetpgrp(decimal(argv[2])) == getpgrp() ? 0 : 1;
    if (!strcmp(argv[1], "report"))
        report();
    return 0;
}

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);

/* The capsule's posix_spawn for records made by a polyfill, the runtime's for its own. */
static spawn_function *spawner(void)
{
    spawn_function *f = is_polyfill ? in_root("override$posix_spawn") : runtime("posix_spawn");
    EXPECT(f != NULL);
    return f;
}

static char output[64];

/* Runs "report" with the actions, which get one more. use is posix_spawn or pidfd_spawn. The text is static. */
static const char *run_report(spawn_function *use, bool is_pidfd, posix_spawn_file_actions_t *actions,
                              const posix_spawnattr_t *attributes)
{
    static char text[5000];
    char *arguments[] = {self, "report", NULL}, *environment[] = {"X=passed", NULL};
    RT(posix_spawn_file_actions_addopen)(actions, 1, output, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    int id = -1;
    siginfo_t info = {0};
    text[0] = '\0';
    EQUAL(use(&id, self, actions, attributes, arguments, environment), 0);
    EQUAL(waitid(is_pidfd ? WAIT_PIDFD : P_PID, (id_t)id, &info, WEXITED), 0);
    EXPECT(info.si_code == CLD_EXITED && info.si_status == 0);
    if (is_pidfd)
        close(id);
    FILE *file = fopen(output, "r");
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        unlink(output);
    }
    return text;
}

static bool has(const char *text, const char *part)
{
    bool found = strstr(text, part) != NULL;
    if (!found)
        printf("note: \"%s\" is not in: %s", part, text);
    return found;
}

static void judge_addchdir(void *implementation)
{
    int (*f)(posix_spawn_file_actions_t *, const char *) = implementation;
    posix_spawn_file_actions_t actions;
    RT(posix_spawn_file_actions_init)(&actions);
    char path[] = "/proc/self";
    for (int i = 0; i < 20; i++) /* more than one allocation */
        EQUAL(f(&actions, i < 19 ? "/" : path), 0);
    memset(path, 'x', 5); /* it was copied */
    const char *text = run_report(spawner(), false, &actions, NULL);
    EXPECT(has(text, "cwd=/proc/") && has(text, " x=passed"));
    EQUAL(f(&actions, "/nonexistent"), 0);
    char *arguments[] = {self, "exit", "0", NULL};
    EQUAL(spawner()(NULL, self, &actions, NULL, arguments, environ), ENOENT);
    EQUAL(RT(posix_spawn_file_actions_destroy)(&actions), 0);
}

static void judge_addfchdir(void *implementation)
{
    int (*f)(posix_spawn_file_actions_t *, int) = implementation;
    posix_spawn_file_actions_t actions;
    RT(posix_spawn_file_actions_init)(&actions);
    int dir = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    EQUAL(f(&actions, dir), 0);
    EXPECT(has(run_report(spawner(), false, &actions, NULL), "cwd=/proc "));
    close(dir);
    char *arguments[] = {self, "exit", "0", NULL};
    EQUAL(spawner()(NULL, self, &actions, NULL, arguments, environ), EBADF);
    RT(posix_spawn_file_actions_destroy)(&actions);
}

static void judge_addclosefrom(void *implementation)
{
    int (*f)(posix_spawn_file_actions_t *, int) = implementation;
    posix_spawn_file_actions_t actions;
    RT(posix_spawn_file_actions_init)(&actions);
    EQUAL(f(&actions, -1), EBADF);
    dup2(0, 100), dup2(0, 200);
    EQUAL(f(&actions, 3), 0);
    const char *text = run_report(spawner(), false, &actions, NULL);
    EXPECT(has(text, "fds=0,1,2, "));
    EXPECT(fcntl(100, F_GETFD) == 0);
    close(100), close(200);
    RT(posix_spawn_file_actions_destroy)(&actions);
}

/* In a session of its own, with a terminal. */
static void use_terminal(void *implementation)
{
    int (*f)(posix_spawn_file_actions_t *, int) = implementation;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), number = -1, unlock = 0;
    char name[64];
    setsid();
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &number)) {
        printf("note: no terminal to be had\n");
        return;
    }
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    int terminal = open(name, O_RDWR);
    EXPECT(terminal >= 0);
    RT(posix_spawn_file_actions_init)(&actions);
    RT(posix_spawnattr_init)(&attributes);
    RT(posix_spawnattr_setflags)(&attributes, POSIX_SPAWN_SETPGROUP);
    EQUAL(f(&actions, -1), EBADF);
    EQUAL(f(&actions, terminal), 0);
    char fd[16];
    snprintf(fd, sizeof fd, "%d", terminal);
    char *arguments[] = {self, "terminal", fd, NULL};
    pid_t child = -1;
    int status = -1;
    EQUAL(spawner()(&child, self, &actions, &attributes, arguments, environ), 0);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(status, 0);
}

static void judge_addtcsetpgrp(void *implementation)
{
    EQUAL(status_of(use_terminal, implementation), 0);
}

static int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void nothing(int signal)
{
    (void)signal;
}

static void judge_spawn_failures(spawn_function *f)
{
    char *arguments[] = {self, "exit", "0", NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    int before = open_fds(), id = -5;
    EQUAL(f(&id, "/nonexistent/program", NULL, NULL, arguments, environment), ENOENT);
    EQUAL(f(&id, "/proc/self/status", NULL, NULL, arguments, environment), EACCES);
    RT(posix_spawn_file_actions_init)(&actions);
    RT(posix_spawn_file_actions_adddup2)(&actions, 900, 0);
    EQUAL(f(&id, self, &actions, NULL, arguments, environment), EBADF);
    RT(posix_spawn_file_actions_destroy)(&actions);
    RT(posix_spawn_file_actions_init)(&actions);
    RT(posix_spawn_file_actions_addopen)(&actions, 0, "/nonexistent", O_RDONLY, 0);
    EQUAL(f(&id, self, &actions, NULL, arguments, environment), ENOENT);
    RT(posix_spawn_file_actions_destroy)(&actions);
    EQUAL(id, -5);
    EQUAL(open_fds(), before);
    FAILS(waitpid(-1, NULL, 0), -1, ECHILD); /* none left behind */
}

/* With every attribute, and the actions that need no polyfill. */
static void judge_spawn_attributes(spawn_function *f)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t mask, defaults, before;
    signal(SIGUSR1, nothing);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGWINCH, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    RT(pthread_sigmask)(SIG_BLOCK, &mask, &before);
    dup2(0, 300);
    fcntl(300, F_SETFD, FD_CLOEXEC);
    dup2(0, 301);
    RT(posix_spawn_file_actions_init)(&actions);
    RT(posix_spawn_file_actions_adddup2)(&actions, 300, 300);
    RT(posix_spawn_file_actions_adddup2)(&actions, 300, 302);
    RT(posix_spawn_file_actions_addclose)(&actions, 301);
    RT(posix_spawn_file_actions_addclose)(&actions, 800); /* not open: no error */
    const char *text = run_report(f, true, &actions, NULL);
    EXPECT(has(text, ",300,302, ") && has(text, "mask=1, ") && has(text, "ignored=12,28,"));
    EXPECT(has(text, "leader=0 session=0 policy=0"));

    RT(posix_spawnattr_init)(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGUSR2);
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    RT(posix_spawnattr_setsigdefault)(&attributes, &defaults);
    RT(posix_spawnattr_setsigmask)(&attributes, &mask);
    RT(posix_spawnattr_setflags)(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP |
                                                  POSIX_SPAWN_RESETIDS);
    text = run_report(f, true, &actions, &attributes);
    EXPECT(has(text, "mask=15, ") && has(text, "ignored=28, ") && has(text, "leader=1 session=0 policy=0"));
    RT(posix_spawnattr_setflags)(&attributes, 0x80 /* POSIX_SPAWN_SETSID */);
    EXPECT(has(run_report(f, true, &actions, &attributes), "leader=1 session=1 policy=0"));

    RT(posix_spawn_file_actions_destroy)(&actions);
    RT(pthread_sigmask)(SIG_SETMASK, &before, NULL);
    signal(SIGUSR1, SIG_DFL), signal(SIGUSR2, SIG_DFL), signal(SIGWINCH, SIG_DFL);
    close(300), close(301);
}

/* A real-time policy needs a right. Without it the request fails, and says so. */
static void judge_spawn_scheduler(spawn_function *f)
{
    char *arguments[] = {self, "exit", "0", NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    struct sched_param priority = {1};
    int id = -1;
    RT(posix_spawn_file_actions_init)(&actions);
    RT(posix_spawnattr_init)(&attributes);
    RT(posix_spawnattr_setschedpolicy)(&attributes, SCHED_RR);
    RT(posix_spawnattr_setschedparam)(&attributes, &priority);
    RT(posix_spawnattr_setflags)(&attributes, POSIX_SPAWN_SETSCHEDPARAM);
    EQUAL(f(&id, self, NULL, &attributes, arguments, environment), EINVAL); /* priority 1 is for another policy */
    RT(posix_spawnattr_setflags)(&attributes, POSIX_SPAWN_SETSCHEDULER);
    int error = f(&id, self, NULL, &attributes, arguments, environment);
    if (error == EPERM)
        return;
    EQUAL(error, 0);
    EQUAL(waitid(WAIT_PIDFD, (id_t)id, &(siginfo_t){0}, WEXITED), 0);
    close(id);
    EXPECT(has(run_report(f, true, &actions, &attributes), "policy=2"));
    RT(posix_spawn_file_actions_destroy)(&actions);
}

static void judge_pidfd_spawn(void *implementation)
{
    spawn_function *f = implementation; /* int and pid_t are one type */
    char *arguments[] = {self, "exit", "33", NULL}, *environment[] = {NULL};
    int fd = -1;
    siginfo_t info = {0};
    int error = f(&fd, self, NULL, NULL, arguments, environment);
    if (error == ENOSYS)
        return; /* before Linux 5.4, for all alike */
    EQUAL(error, 0);
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EQUAL(waitid(WAIT_PIDFD, (id_t)fd, &info, WEXITED), 0);
    EXPECT(info.si_code == CLD_EXITED && info.si_status == 33);
    close(fd);
    judge_spawn_failures(f);
    judge_spawn_attributes(f);
    judge_spawn_scheduler(f);

    /* The records that glibc added, in one request. */
    posix_spawn_file_actions_t actions;
    RT(posix_spawn_file_actions_init)(&actions);
    int (*add_chdir)(posix_spawn_file_actions_t *, const char *) = in_root("polyfill$posix_spawn_file_actions_addchdir_np");
    int (*add_from)(posix_spawn_file_actions_t *, int) = in_root("polyfill$posix_spawn_file_actions_addclosefrom_np");
    int (*add_fchdir)(posix_spawn_file_actions_t *, int) = in_root("polyfill$posix_spawn_file_actions_addfchdir_np");
    int dir = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    EQUAL(add_chdir(&actions, "/proc/self"), 0);
    EQUAL(add_fchdir(&actions, dir), 0);
    EQUAL(add_from(&actions, 3), 0);
    const char *text = run_report(f, true, &actions, NULL);
    EXPECT(has(text, "cwd=/proc ") && has(text, "fds=0,1,2, "));
    RT(posix_spawn_file_actions_destroy)(&actions);
    close(dir);
}

/* How PATH is searched, in a directory of the test's own. result: an error number, or 0 where the
 * driver itself is to be found. What it is natively, posix_spawnp of every glibc tells: it is
 * judged by the same. */
static void judge_search(spawn_function *f, bool is_pidfd)
{
    static char name255[256], name256[257], dir4095[4096 + 300], dir4096[4096 + 300];
    memset(name255, 'n', 255);
    memset(name256, 'n', 256);
    memset(dir4095, 'd', 4095);
    memset(dir4096, 'd', 4096);
    strcat(dir4096, ":");
    const struct {
        const char *path, *file;
        int result;
    } cases[] = {
        {"", "here", 0}, {":", "here", 0}, {"::", "here", 0}, {"/nonexistent:", "here", 0}, {":/nonexistent", "here", 0},
        {"/nonexistent::/nonexistent", "here", 0}, {"/nonexistent", "here", ENOENT}, {NULL, "here", ENOENT},
        {"/nonexistent", "./here", 0}, {"", "denied/../here", 0}, {"", "denied/nowhere", ENOENT}, {"", "", ENOENT},
        {"denied", "file", EACCES}, {"denied:/nonexistent", "file", EACCES}, {"/nonexistent:denied", "file", EACCES},
        {"denied:", "file", EACCES}, {"denied:allowed", "file", 0}, {"allowed:denied", "file", 0},
        {"here", "file", ENOTDIR}, {"here:/nonexistent", "file", ENOENT}, {"/nonexistent:here", "file", ENOTDIR},
        {"here:denied", "file", EACCES}, {"here:", "here", 0}, {"", "file/", ENOTDIR}, {"", "denied", EACCES},
        {"/nonexistent", name255, ENOENT}, {"", name256, ENAMETOOLONG}, {"/nonexistent:", name256, ENAMETOOLONG},
        {dir4095, name255, ENAMETOOLONG}, {dir4096, "here", 0},
    };
    char dir[64], cwd[4096], *arguments[] = {self, "exit", "33", NULL}, *environment[] = {NULL};
    char *old = getenv("PATH") ? strdup(getenv("PATH")) : NULL;
    snprintf(dir, sizeof dir, "/tmp/search-%d", (int)getpid());
    EXPECT(getcwd(cwd, sizeof cwd) && !mkdir(dir, 0700) && !chdir(dir));
    mkdir("denied", 0700), mkdir("allowed", 0700);
    EXPECT(!symlink(self, "here") && !symlink(self, "allowed/file"));
    close(open("denied/file", O_CREAT | O_WRONLY, 0600)), close(open("file", O_CREAT | O_WRONLY, 0600));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int id = -1;
        siginfo_t info = {0};
        if (cases[i].path)
            setenv("PATH", cases[i].path, 1);
        else
            unsetenv("PATH");
        int result = f(&id, cases[i].file, NULL, NULL, arguments, environment);
        if (result != cases[i].result)
            printf("note: PATH=%.60s and %.60s\n", cases[i].path ? cases[i].path : "(none)", cases[i].file);
        EQUAL(result, cases[i].result);
        if (result)
            continue;
        EQUAL(waitid(is_pidfd ? WAIT_PIDFD : P_PID, (id_t)id, &info, WEXITED), 0);
        EQUAL(info.si_status, 33);
        if (is_pidfd)
            close(id);
    }
    unlink("here"), unlink("allowed/file"), unlink("denied/file"), unlink("file"), rmdir("denied"), rmdir("allowed");
    EXPECT(!chdir(cwd) && !rmdir(dir));
    if (old)
        setenv("PATH", old, 1);
    else
        unsetenv("PATH");
    free(old);
}

/* PATH is searched for names without a slash, and a file that is no program is not given to a shell. */
static void judge_pidfd_spawnp(void *implementation)
{
    spawn_function *f = implementation;
    judge_search(runtime("posix_spawnp"), false);
    char *arguments[] = {self, "exit", "33", NULL}, *environment[] = {NULL}, old[4096], dir[4096], script[64];
    snprintf(old, sizeof old, "PATH=%s", getenv("PATH") ? getenv("PATH") : "");
    snprintf(dir, sizeof dir, "PATH=/nonexistent:/proc/version:%s", self);
    *strrchr(dir, '/') = '\0';
    putenv(dir);
    int fd = -1;
    siginfo_t info = {0};
    if (f(&fd, strrchr(self, '/') + 1, NULL, NULL, arguments, environment) == ENOSYS)
        return;
    EQUAL(waitid(WAIT_PIDFD, (id_t)fd, &info, WEXITED), 0);
    EQUAL(info.si_status, 33);
    close(fd);
    judge_search(f, true);
    EQUAL(f(&fd, "no-such-program", NULL, NULL, arguments, environment), ENOENT);
    EQUAL(f(&fd, "", NULL, NULL, arguments, environment), ENOENT);
    snprintf(script, sizeof script, "/tmp/script-%d", (int)getpid());
    FILE *file = fopen(script, "w");
    fputs("exit 0\n", file);
    fclose(file);
    putenv("PATH=/tmp");
    EQUAL(f(&fd, script + 5, NULL, NULL, arguments, environment), EACCES);
    chmod(script, 0700);
    EQUAL(f(&fd, script + 5, NULL, NULL, arguments, environment), ENOEXEC);
    unlink(script);
    putenv(old);
    fd = -1;
    EQUAL(f(&fd, self, NULL, NULL, arguments, environment), 0);
    EQUAL(waitid(WAIT_PIDFD, (id_t)fd, &info, WEXITED), 0);
    close(fd);
    setenv("PATH", old + 5, 1);
}

static int (*set_cgroup)(posix_spawnattr_t *, int);

static void judge_setcgroup(void *implementation)
{
    set_cgroup = implementation;
    posix_spawnattr_t attributes;
    RT(posix_spawnattr_init)(&attributes);
    RT(posix_spawnattr_setschedpolicy)(&attributes, SCHED_RR);
    EQUAL(set_cgroup(&attributes, 12345), 0);
    int policy = -1;
    RT(posix_spawnattr_getschedpolicy)(&attributes, &policy);
    EQUAL(policy, SCHED_RR);
}

static void judge_getcgroup(void *implementation)
{
    int (*f)(const posix_spawnattr_t *, int *) = implementation, cgroup = -1;
    posix_spawnattr_t attributes;
    RT(posix_spawnattr_init)(&attributes);
    EQUAL(f(&attributes, &cgroup), 0);
    EQUAL(cgroup, 0);
    set_cgroup(&attributes, 12345);
    EQUAL(f(&attributes, &cgroup), 0);
    EQUAL(cgroup, 12345);
}

void check_spawn(void)
{
    snprintf(output, sizeof output, "/tmp/report-%d", (int)getpid());
    check("posix_spawn_file_actions_addchdir_np", judge_addchdir);
    check("posix_spawn_file_actions_addfchdir_np", judge_addfchdir);
    check("posix_spawn_file_actions_addclosefrom_np", judge_addclosefrom);
    check("posix_spawn_file_actions_addtcsetpgrp_np", judge_addtcsetpgrp);
    check("pidfd_spawn", judge_pidfd_spawn);
    check("pidfd_spawnp", judge_pidfd_spawnp);
    check("posix_spawnattr_setcgroup_np", judge_setcgroup);
    check("posix_spawnattr_getcgroup_np", judge_getcgroup);
}
