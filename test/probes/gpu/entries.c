/*
 * entries LIBRARY < NAMES: looks up each name that the standard input lists, one a line, and prints how many the library
 * has and which it lacks.
 */
#include "gpu.h"

#include <string.h>

int main(int argc, char **argv)
{
	char name[1024];
	int found = 0, missing = 0;
	if (argc != 2)
		return 2;
	void *h = open_library(argv[1]);
	while (fgets(name, sizeof name, stdin)) {
		name[strcspn(name, "\n")] = 0;
		if (dlsym(h, name)) {
			found++;
		} else {
			missing++;
			printf("missing: %s\n", name);
		}
	}
	printf("%s: %d found, %d missing\n", argv[1], found, missing);
	return missing != 0;
}
