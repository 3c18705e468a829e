/* The end of the process: handlers of both sides in one list, destructors once, the exit status kept. */
#include "check.h"

#include <sys/wait.h>

static void put(const char *s)
{
	if (write(STDOUT_FILENO, s, strlen(s)) < 0)
		_exit(99);
}

static void game1(void) { put("1"); }
static void game3(void) { put("3"); }

static void leave(void)
{
	atexit(game1);
	ct_atexit("2");
	atexit(game3);
	ct_atexit("4");
	exit(5);
}

static const char *order(void)
{
	char out[32];
	int status = capture(leave, out, sizeof out);
	WANT(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	WANT(!strcmp(out, "4321"));
	return NULL;
}

static void leave_with_destructor(void)
{
	atexit(game1);
	ct_announce_destructor(STDOUT_FILENO);
	exit(0);
}

/* the destructor of the host library runs once, after the exit handlers */
static const char *destructor(void)
{
	char out[32];
	WANT(capture(leave_with_destructor, out, sizeof out) == 0);
	WANT(!strcmp(out, "1D"));
	return NULL;
}

static void leave_from_host_thread_body(void *arg)
{
	(void)arg;
	exit(6);
}

static void leave_from_host_thread(void)
{
	ct_atexit("2");
	ct_thread_run(leave_from_host_thread_body, NULL);
}

static const char *exit_in_host_thread(void)
{
	char out[32];
	int status = capture(leave_from_host_thread, out, sizeof out);
	WANT(WIFEXITED(status) && WEXITSTATUS(status) == 6);
	WANT(!strcmp(out, "2"));
	return NULL;
}

const struct check exit_checks[] = {
	{"atexit-order", order},
	{"destructor-at-exit", destructor},
	{"exit-in-host-thread", exit_in_host_thread},
	{NULL, NULL},
};
