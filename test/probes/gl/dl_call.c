/* dl_call LIBRARY FUNCTION: opens the library, calls the function and prints the int that it returns. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	void *h = dlopen(argv[1], RTLD_LAZY);
	int (*f)(void) = h ? (int (*)(void))dlsym(h, argv[2]) : NULL;
	if (!f) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	printf("%s %d\n", argv[2], f());
	return 0;
}
