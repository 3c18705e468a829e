/* Each polyfill is judged by a check: a function that calls an implementation and states what must come of it. The
 * same check judges the runtime's own function where the runtime has one, so that the statements are glibc's. */
#ifndef DRIVER_H
#define DRIVER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void check_function(void *implementation);

/* Judges polyfill$NAME, then the runtime's NAME. */
void check(const char *name, check_function *);

/* One of the two alone: the polyfill where the runtime's function may rightly do otherwise. */
void check_polyfill(const char *name, check_function *);
void check_runtime(const char *name, check_function *);

/* What the capsule root exports under a name; NULL if nothing. */
void *in_root(const char *symbol);

/* The runtime's function or variable; NULL if it has none. RT: of a type that the headers know. */
void *runtime(const char *name);
#define RT(name) ((typeof(&name))runtime(#name))

/* True while the polyfill is judged, false for the runtime's function. */
extern bool is_polyfill;

/* Statements. A failure is printed with its place, the name and whose function it is; the run goes on. */
void expect(bool holds, const char *what, const char *file, int line);
void expect_equal(long long got, long long want, const char *what, const char *file, int line);
#define EXPECT(condition) expect(condition, #condition, __FILE__, __LINE__)
#define EQUAL(got, want) expect_equal((long long)(got), (long long)(want), #got, __FILE__, __LINE__)

/* FAILS(call, -1, EBADF): the result and errno. */
#define FAILS(call, result, error) \
    (errno = 0, EQUAL(call, result), EQUAL(errno, error))

/* Runs a function in a forked child whose standard error is closed. Its wait status; -1 if there was no fork. */
int status_of(void (*function)(void *), void *argument);

/* The file that polyfills under test may execute: this one, and what it does when its first argument is a word. */
extern char *self;
int helper(int argc, char **argv);

/* Makes a system call answer ENOSYS from now on, for this process: what an older kernel does. False: not possible. */
bool take_away(int system_call);

/* A deadline so many milliseconds from now, which may be less than 0; and the time since a moment, in milliseconds. */
struct timespec in_ms(int clock, long ms);
long ms_since(int clock, const struct timespec *);

/* atoi, which newer headers turn into a call of __isoc23_strtol: older releases have none. */
static inline int decimal(const char *digits)
{
    int value = 0;
    while (*digits >= '0' && *digits <= '9')
        value = 10 * value + (*digits++ - '0');
    return value;
}

/* The themes, one per file. */
void check_strtol(void);
void check_scanf(void);
void check_bits(void);
void check_text(void);
void check_uchar(void);
void check_library(void);
void check_resolver(void);
void check_waits(void);
void check_threads(void);
void check_linux(void);
void check_mounts(void);
void check_process(void);
void check_spawn(void);

#endif
