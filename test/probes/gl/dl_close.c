/* dl_close LIBRARY…: opens each, closes each, twice over, and ends in the ordinary way. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *h[32];
	if (argc > 32)
		return 2;
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i < argc; i++)
			if (!(h[i] = dlopen(argv[i], RTLD_NOW))) {
				fprintf(stderr, "%s\n", dlerror());
				return 1;
			}
		for (int i = 1; i < argc; i++)
			if (dlclose(h[i])) {
				fprintf(stderr, "%s\n", dlerror());
				return 1;
			}
	}
	puts("closed");
	return 0;
}
