/*
 * How much stack functions take that a signal handler may call (signal-safety(7)), on an alternate stack, which programs make
 * small: beyond what the kernel and the handler itself take, in bytes, with short and long paths. A line is
 * "FUNCTION FORM: BYTES, RESULT".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forms.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define LARGE (64 * 1024)
#define ROOM 1536 /* what a handler has on the smallest stack on which this shall work */
#define UNTOUCHED 0xa5

static const char *path;
static struct stat status;
static char link_text[16];
static volatile int result;

static void call_nothing(void) {}
static void call_open(void) { result = open(path, O_RDONLY); }
static void call_openat(void) { result = openat(AT_FDCWD, path, O_RDONLY); }
static void call_stat(void) { result = stat(path, &status); }
static void call_lstat(void) { result = lstat(path, &status); }
static void call_fstatat(void) { result = fstatat(AT_FDCWD, path, &status, 0); }
static void call_access(void) { result = access(path, R_OK); }
static void call_readlink(void) { result = (int)readlink(path, link_text, sizeof link_text); }
static void call_execve(void) { result = execve(path, (char *[]){"x", NULL}, (char *[]){NULL}); }

static void (*call)(void);

static void handler(int signal)
{
	(void)signal;
	call();
}

/* Calls in a handler whose stack has a page behind it that must not be touched; what is touched of the stack. */
static size_t on_stack(unsigned char *guarded, size_t size, void (*function)(void))
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), untouched = 0;
	unsigned char *stack = guarded + page;
	memset(stack, UNTOUCHED, size);
	stack_t alternate = {.ss_sp = stack, .ss_size = size};
	if (sigaltstack(&alternate, NULL)) {
		perror("sigaltstack");
		exit(1);
	}
	call = function;
	raise(SIGUSR1);
	while (stack[untouched] == UNTOUCHED)
		untouched++;
	return size - untouched;
}

static void measure(const char *name, const char *form, void (*function)(void), unsigned char *guarded)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), least = getauxval(AT_MINSIGSTKSZ);
	on_stack(guarded, LARGE, function); /* lazy binding is not the function's */
	size_t own = on_stack(guarded, LARGE, call_nothing), used = on_stack(guarded, LARGE, function);
	printf("%s %s: %zu, %s\n", name, form, used - own, result < 0 ? "failed" : "ok");
	fflush(stdout);
	if (!least)
		least = own;
	on_stack(guarded + (LARGE - (least + ROOM)) / page * page, (least + ROOM + 15) & ~(size_t)15, function);
}

void ct_stack(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *guarded = mmap(NULL, page + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	static char long_mapped[3500] = DIRECTORY "/", long_other[3500] = "/usr/share/", too_long[5000] = DIRECTORY "/";
	while (strlen(long_mapped) < 3000)
		strcat(long_mapped, "./");
	strcat(long_mapped, "capsule-test.conf");
	while (strlen(long_other) < 3000)
		strcat(long_other, "no-such-directory/");
	while (strlen(too_long) < 4500)
		strcat(too_long, "./");
	const struct {
		const char *form, *path;
	} forms[] = {
		{"short", DIRECTORY "/capsule-test.conf"}, {"other", "/usr/share/capsule-unmapped"}, {"long", long_mapped},
		{"long-other", long_other}, {"too-long", too_long}, {"relative", "share/drirc.d/capsule-test.conf"},
		{"climbing", "lib/../share/drirc.d/capsule-test.conf"},
	};
	const struct {
		const char *name;
		void (*call)(void);
	} functions[] = {
		{"open", call_open}, {"openat", call_openat}, {"stat", call_stat}, {"lstat", call_lstat}, {"fstatat", call_fstatat},
		{"access", call_access}, {"readlink", call_readlink}, {"execve", call_execve},
	};
	if (guarded == MAP_FAILED || sigaction(SIGUSR1, &action, NULL) || chdir("/usr")) {
		perror("ct_stack");
		exit(1);
	}
	for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++)
		for (size_t n = 0; n < sizeof functions / sizeof functions[0]; n++) {
			path = forms[f].path;
			if (functions[n].call == call_execve && f != 3 && f != 4)
				continue; /* it is there, and would be executed */
			measure(functions[n].name, forms[f].form, functions[n].call, guarded);
		}
}
