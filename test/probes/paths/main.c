/* paths LIBRARY FUNCTION: calls a function of one of the host's libraries. With "-" as LIBRARY it prints the first line of
 * the file FUNCTION, as a program sees it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "-")) {
		char line[200] = "";
		FILE *f = fopen(argv[2], "r");
		if (!f || !fgets(line, sizeof line, f))
			return 1;
		fputs(line, stdout);
		return 0;
	}
	void *library = dlopen(argv[1], RTLD_NOW);
	void (*run)(void) = library ? (void (*)(void))dlsym(library, argv[2]) : NULL;
	if (!run) {
		fprintf(stderr, "paths: %s\n", dlerror());
		return 1;
	}
	run();
	return 0;
}
