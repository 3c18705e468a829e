/*
 *	one_libc              runs every check; prints "ok NAME", "skip NAME: why" or "FAIL NAME: why"; 1 if any failed
 *	one_libc NAME         runs one check in this process
 *	one_libc --together   runs all that do not end the process in this process
 *	one_libc --list       prints the names
 *
 * Where the machine does not execute this program by itself, CT_RUNNER names what does (an emulator).
 */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

const char *const not_here = "not here";

static const struct check *const lists[] = {
	memory_checks, thread_checks, stdio_checks, process_checks, exit_checks, lookup_checks, loader_checks,
};

/* seconds a check may take before it counts as hung */
#define LIMIT 60

static int selftest;

static const char *run_selftest(void) { return ct_selftest_run(selftest); }

/* calls f for each check, of this program and of the host library */
static void each(void (*f)(const struct check *))
{
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (const struct check *c = lists[i]; c->name; c++)
			f(c);
	for (selftest = 0; ct_selftest_name(selftest); selftest++) {
		struct check c = {ct_selftest_name(selftest), run_selftest};
		f(&c);
	}
}

static const char *wanted;
static int found, failed;

static void list(const struct check *c) { printf("%s\n", c->name); }

static void run(const struct check *c)
{
	if (wanted && strcmp(wanted, c->name))
		return;
	found = 1;
	const char *why = c->run();
	if (why == not_here)
		printf("skip %s: no display\n", c->name);
	else if (why)
		printf("FAIL %s: %s\n", c->name, why), failed = 1;
	else
		printf("ok %s\n", c->name);
	fflush(stdout);
}

static void become(const char *check)
{
	const char *runner = getenv("CT_RUNNER");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = 0;
	if (runner)
		execl(runner, runner, self, check, (char *)NULL);
	else
		execl("/proc/self/exe", "one_libc", check, (char *)NULL);
}

static void run_apart(const struct check *c)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		alarm(LIMIT);
		become(c->name);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		printf("FAIL %s: cannot run it: %s\n", c->name, strerror(errno));
		failed = 1;
	} else if (WIFSIGNALED(status)) {
		printf("FAIL %s: ended by signal %d (%s)\n", c->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
		failed = 1;
	} else if (WEXITSTATUS(status) > 1) {
		printf("FAIL %s: exit status %d\n", c->name, WEXITSTATUS(status));
		failed = 1;
	} else if (status) {
		failed = 1;
	}
	fflush(stdout);
}

int capture(void (*body)(void), char *out, size_t size)
{
	int p[2], status = -1;
	fflush(stdout);
	if (pipe(p))
		return -1;
	pid_t child = fork();
	if (child == 0) {
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		body();
		_exit(98); /* body must not return */
	}
	close(p[1]);
	size_t n = 0;
	ssize_t got;
	while (n + 1 < size && (got = read(p[0], out + n, size - 1 - n)) > 0)
		n += got;
	out[n] = 0;
	close(p[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 14); /* as with a pipe, so that the order of output does not hang on the terminal */
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		each(list);
	} else if (argc > 1 && !strcmp(argv[1], "--together")) {
		each(run);
	} else if (argc > 1) {
		wanted = argv[1];
		each(run);
		if (!found)
			fprintf(stderr, "one_libc: no check %s\n", wanted);
		return found ? failed : 2;
	} else {
		each(run_apart);
	}
	return failed;
}
