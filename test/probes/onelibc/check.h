/*
 * one_libc checks that the program and a library of the host live with one libc. Each check runs in a process of its
 * own (one_libc NAME), so that one crash is one failure.
 */
#ifndef CHECK_H
#define CHECK_H

#define _GNU_SOURCE
#include "capsuletest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
	const char *name;
	const char *(*run)(void); /* NULL for success, or what is wrong */
};

/* each list ends with an empty entry */
extern const struct check memory_checks[], thread_checks[], stdio_checks[], process_checks[], exit_checks[],
	lookup_checks[], loader_checks[];

/* what a check returns if the machine lacks what it needs (an X display) */
extern const char *const not_here;

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define WANT(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			return __FILE__ ":" STRINGIFY(__LINE__) ": not " #cond;                                        \
	} while (0)

/* runs body in a child whose standard output is a pipe; returns its wait status, the output in out, ended by 0 */
int capture(void (*body)(void), char *out, size_t size);

#endif
