/* dl_rounds N: opens and closes libGL, libEGL and libvulkan N times, calling something of each, and prints the process's
 * private memory after a tenth and at the end. */
#include "memory.h"
#include <dlfcn.h>
#include <stdlib.h>

static const char *const names[][2] = {
	{"libGL.so.1", "glXGetProcAddress"}, {"libEGL.so.1", "eglGetProcAddress"}, {"libvulkan.so.1", "vkGetInstanceProcAddr"}};

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < 3; k++) {
			void *h = dlopen(names[k][0], (i & 1 ? RTLD_NOW : RTLD_LAZY) | (i & 2 ? RTLD_GLOBAL : RTLD_LOCAL));
			void *f = h ? dlsym(h, names[k][1]) : NULL;
			if (!f) {
				fprintf(stderr, "round %d: %s\n", i, dlerror());
				return 1;
			}
			if (k < 2)
				((void *(*)(const char *))f)(k ? "eglInitialize" : "glClear");
			else
				((void *(*)(void *, const char *))f)(NULL, "vkCreateInstance");
			if (dlclose(h)) {
				fprintf(stderr, "round %d: %s\n", i, dlerror());
				return 1;
			}
		}
		if (i == n / 10)
			printf("before_kib=%ld\nbefore_mappings=%ld\n", private_kib(), mappings());
	}
	printf("after_kib=%ld\nafter_mappings=%ld\nwrong=0\n", private_kib(), mappings());
	return 0;
}
