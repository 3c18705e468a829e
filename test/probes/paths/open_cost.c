/* open_cost: processor time in ns for open and close, and for stat, of paths that the plan does not map, called by the program and by a library
 * of the host. One line "NAME.SIDE=NS" each: medians over rounds in which the sides take turns. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "open_cost.h"

#define ROUNDS 301
#define TURNS 200

static const struct {
	const char *name, *path;
	int kind;
} cases[] = {{"open", "/dev/null", 0},
	     {"open_long", "/usr/share/../share/./doc/libx11-6/copyright/none", 0},
	     {"stat", "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", 1}};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	void *library = dlopen("libcapsuletest-paths.so", RTLD_NOW);
	double (*in_library)(const char *, int, int);
	if (!library || !(*(void **)&in_library = dlsym(library, "ct_open_cost"))) {
		fprintf(stderr, "open_cost: %s\n", dlerror());
		return 1;
	}
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		double ns[2][ROUNDS];
		for (int r = 0; r < ROUNDS; r++) {
			ns[0][r] = open_cost(cases[c].path, TURNS, cases[c].kind);
			ns[1][r] = in_library(cases[c].path, TURNS, cases[c].kind);
		}
		for (int side = 0; side < 2; side++) {
			qsort(ns[side], ROUNDS, sizeof **ns, compare);
			printf("%s.%s=%.1f\n", cases[c].name, side ? "library" : "program", ns[side][ROUNDS / 2]);
		}
	}
	return 0;
}
