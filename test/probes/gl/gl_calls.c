/*
 * gl_calls: ns per call of glIsEnabled and glGetError, called directly (gl_calls_lazy is bound lazily, gl_calls_now
 * eagerly), through dlsym and through glXGetProcAddress. One line "FUNCTION.WAY=NS" each: medians over rounds in which the
 * ways take turns, so that a change of the processor's clock meets all of them.
 */
#include "clock.h"
#include "context.h"

#include <dlfcn.h>
#include <string.h>

#define ROUNDS 31
#define CALLS 200000

static GLboolean (*by_dlsym_enabled)(GLenum), (*by_proc_enabled)(GLenum);
static GLenum (*by_dlsym_error)(void), (*by_proc_error)(void);

/* one loop a way, each with its own call instruction */
#define LOOP(name, call)                                                                                               \
	static double name(void)                                                                                       \
	{                                                                                                              \
		long long t = now_ns();                                                                                \
		for (int i = 0; i < CALLS; i++)                                                                        \
			call;                                                                                          \
		return (double)(now_ns() - t) / CALLS;                                                                 \
	}

LOOP(enabled_direct, glIsEnabled(GL_BLEND))
LOOP(enabled_dlsym, by_dlsym_enabled(GL_BLEND))
LOOP(enabled_proc, by_proc_enabled(GL_BLEND))
LOOP(error_direct, glGetError())
LOOP(error_dlsym, by_dlsym_error())
LOOP(error_proc, by_proc_error())

static const struct {
	const char *name;
	double (*run)(void);
} ways[] = {
	{"glIsEnabled.direct", enabled_direct}, {"glIsEnabled.dlsym", enabled_dlsym}, {"glIsEnabled.proc", enabled_proc},
	{"glGetError.direct", error_direct},    {"glGetError.dlsym", error_dlsym},    {"glGetError.proc", error_proc},
};
#define WAYS (sizeof ways / sizeof *ways)

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	static double ns[WAYS][ROUNDS];
	make_context();
	/* RTLD_DEFAULT finds what the program itself is bound to */
	*(void **)&by_dlsym_enabled = dlsym(RTLD_DEFAULT, "glIsEnabled");
	*(void **)&by_dlsym_error = dlsym(RTLD_DEFAULT, "glGetError");
	by_proc_enabled = (GLboolean(*)(GLenum))glXGetProcAddress((const GLubyte *)"glIsEnabled");
	by_proc_error = (GLenum(*)(void))glXGetProcAddress((const GLubyte *)"glGetError");
	if (!by_dlsym_enabled || !by_dlsym_error || !by_proc_enabled || !by_proc_error) {
		fprintf(stderr, "gl_calls: a function is missing\n");
		return 1;
	}
	for (int r = -1; r < ROUNDS; r++) /* the first round warms up */
		for (size_t w = 0; w < WAYS; w++) {
			double t = ways[w].run();
			if (r >= 0)
				ns[w][r] = t;
		}
	for (size_t w = 0; w < WAYS; w++) {
		qsort(ns[w], ROUNDS, sizeof **ns, compare);
		printf("%s=%.3f\n", ways[w].name, ns[w][ROUNDS / 2]);
	}
	return 0;
}
