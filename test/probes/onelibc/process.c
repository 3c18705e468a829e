/* What a process has once: environment, errno, signals, its ids, its time zone, its children. */
#include "check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static const char *environment(void)
{
	static char text[] = "CT_PUT=game", host_text[] = "CT_PUT2=host";
	WANT(ct_environ_address() == &environ);
	WANT(setenv("CT_A", "game", 1) == 0 && ct_getenv("CT_A") == getenv("CT_A"));
	WANT(!strcmp(ct_getenv("CT_A"), "game"));
	WANT(ct_setenv("CT_B", "host") == 0 && getenv("CT_B") && !strcmp(getenv("CT_B"), "host"));
	WANT(ct_unsetenv("CT_A") == 0 && !getenv("CT_A"));
	WANT(unsetenv("CT_B") == 0 && !ct_getenv("CT_B"));
	WANT(putenv(text) == 0 && !strcmp(ct_getenv("CT_PUT"), "game"));
	text[7] = 'n'; /* putenv keeps the caller's string */
	WANT(!strcmp(ct_getenv("CT_PUT"), "name"));
	WANT(ct_putenv(host_text) == 0 && !strcmp(getenv("CT_PUT2"), "host"));
	return NULL;
}

static const char *environ_replaced(void)
{
	static char only[] = "CT_ONLY=1";
	static char *fresh[] = {only, NULL};
	char **old = environ;
	ct_replace_environ(fresh);
	WANT(environ == fresh && getenv("CT_ONLY") && !getenv("PATH"));
	environ = old;
	WANT(!ct_getenv("CT_ONLY"));
	for (int i = 0; i < 500; i++) { /* libc moves the array when it grows */
		char name[16];
		snprintf(name, sizeof name, "CT_%d", i);
		WANT((i % 2 ? ct_setenv(name, name) : setenv(name, name, 1)) == 0);
	}
	WANT(!strcmp(getenv("CT_499"), "CT_499") && !strcmp(ct_getenv("CT_498"), "CT_498"));
	return NULL;
}

static void other_thread_errno(void *arg) { *(int *)arg = ct_errno_address() == &errno; }

static const char *errno_both(void)
{
	int same = 0;
	WANT(ct_errno_address() == &errno);
	errno = 0;
	WANT(ct_fail_with_errno(ENOTDIR) == -1 && errno == ENOTDIR);
	WANT(ct_fail_with_errno(EBADF) == -1 && errno == EBADF);
	errno = ERANGE;
	WANT(ct_errno() == ERANGE);
	ct_thread_run(other_thread_errno, &same);
	WANT(same);
	return NULL;
}

static volatile sig_atomic_t seen;

static void on_signal(int n) { seen = n; }

static const char *signals(void)
{
	WANT(ct_signal(SIGUSR1, on_signal) == 0 && raise(SIGUSR1) == 0 && seen == SIGUSR1);
	struct sigaction sa;
	WANT(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == on_signal);
	sa.sa_handler = on_signal;
	WANT(sigaction(SIGUSR2, &sa, NULL) == 0 && ct_raise(SIGUSR2) == 0 && seen == SIGUSR2);
	return NULL;
}

static const char *ids(void)
{
	WANT(ct_getpid() == getpid());
	WANT(ct_gettid() == (pid_t)syscall(SYS_gettid));
	return NULL;
}

static const char *time_zone(void)
{
	WANT(ct_timezone("XYZ-3") == -3 * 3600 && timezone == -3 * 3600 && !strcmp(tzname[0], "XYZ"));
	setenv("TZ", "ABC5", 1);
	time_t zero = 0;
	WANT(localtime(&zero)->tm_hour == 19);
	return NULL;
}

static void note(void *arg)
{
	static char *end;
	extern char fork_log[16];
	if (!end)
		end = fork_log;
	*end++ = *(char *)arg;
}

char fork_log[16];

static void game_prepare(void) { note("p"); }
static void game_parent(void) { note("a"); }
static void game_child(void) { note("c"); }

static void add(void *arg) { ++*(int *)arg; }

/* prepare handlers run in reverse order of registration, the others in order (POSIX), over both sides */
static const char *forks(void)
{
	WANT(pthread_atfork(game_prepare, game_parent, game_child) == 0);
	WANT(ct_atfork(note, "P", "A", "C") == 0);
	pid_t child = fork();
	if (child == 0) {
		int n = 0;
		if (strcmp(fork_log, "PpcC"))
			_exit(2);
		/* the child works on, with memory, threads, stdio and exceptions of the host */
		free(ct_malloc(5000));
		ct_thread_run(add, &n);
		for (int i = 0; ct_selftest_name(i); i++)
			if (!strcmp(ct_selftest_name(i), "host-exception-frames") && ct_selftest_run(i))
				_exit(4);
		_exit(n == 1 && ct_getpid() == getpid() ? 0 : 3);
	}
	int status;
	WANT(waitpid(child, &status, 0) == child);
	WANT(!strcmp(fork_log, "PpaA"));
	WANT(WIFEXITED(status));
	WANT(WEXITSTATUS(status) != 2 /* order of handlers in the child */);
	WANT(WEXITSTATUS(status) == 0);
	return NULL;
}

static const char *commands(void)
{
	char line[32];
	WANT(ct_system("exit 7") == 7 << 8);
	FILE *f = ct_popen("echo from a command");
	WANT(f && fgets(line, sizeof line, f) && !strcmp(line, "from a command\n"));
	WANT(pclose(f) == 0);
	f = popen("exit 3", "r");
	WANT(f && ct_pclose(f) == 3 << 8);
	WANT(setenv("CT_CHILD", "5", 1) == 0 && ct_system("exit $CT_CHILD") == 5 << 8);
	return NULL;
}

static const char *timers(void)
{
	int n = 0;
	WANT(ct_timer(5, add, &n) == 0 && n == 1);
	return NULL;
}

const struct check process_checks[] = {
	{"environ", environment},
	{"environ-replaced", environ_replaced},
	{"errno", errno_both},
	{"signals", signals},
	{"getpid-gettid", ids},
	{"timezone", time_zone},
	{"fork", forks},
	{"system-popen", commands},
	{"timer", timers},
	{NULL, NULL},
};
