/*
 * hook_swap.so: what an overlay does. By LD_PRELOAD it stands before glXSwapBuffers and calls on with RTLD_NEXT. The
 * number of frames goes to the file named by HOOK_SWAP_FILE at exit, or else to standard error.
 */
#define _GNU_SOURCE
#include <GL/glx.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static long frames;

void glXSwapBuffers(Display *d, GLXDrawable drawable)
{
	static void (*next)(Display *, GLXDrawable);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "glXSwapBuffers");
	if (!next) {
		fprintf(stderr, "hook_swap: no glXSwapBuffers behind this one: %s\n", dlerror());
		abort();
	}
	frames++;
	next(d, drawable);
}

__attribute__((destructor)) static void report(void)
{
	const char *name = getenv("HOOK_SWAP_FILE");
	FILE *f = name ? fopen(name, "w") : stderr;
	if (!f)
		return;
	fprintf(f, "hook_swap: %ld frames\n", frames);
	fflush(f);
}
