/*
 * entries LIBRARY [RESOLVER] < NAMES: looks up each name that the standard input lists, one a line, by dlsym, or by a
 * function of the library: eglGetProcAddress, glXGetProcAddress or vkGetInstanceProcAddr. Prints how many were found and
 * which were not.
 */
#include "gpu.h"

#include <string.h>

static void *(*by_name)(const char *);
static void *(*by_instance)(void *, const char *);

static void *look_up(void *handle, const char *name)
{
	if (by_instance)
		return by_instance(NULL, name);
	return by_name ? by_name(name) : dlsym(handle, name);
}

int main(int argc, char **argv)
{
	char name[1024];
	int found = 0, missing = 0;
	if (argc != 2 && argc != 3)
		return 2;
	void *h = open_library(argv[1]);
	if (argc == 3 && !strcmp(argv[2], "vkGetInstanceProcAddr"))
		by_instance = (void *(*)(void *, const char *))need_symbol(h, argv[2]);
	else if (argc == 3)
		by_name = (void *(*)(const char *))need_symbol(h, argv[2]);
	while (fgets(name, sizeof name, stdin)) {
		name[strcspn(name, "\n")] = 0;
		if (look_up(h, name)) {
			found++;
		} else {
			missing++;
			printf("missing: %s\n", name);
		}
	}
	printf("%s: %d found, %d missing\n", argv[1], found, missing);
	return 0;
}
