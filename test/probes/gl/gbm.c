/* gbm: what libgbm says of file descriptors that are no GPU. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void)
{
	void *h = dlopen("libgbm.so.1", RTLD_NOW);
	void *(*create)(int) = h ? (void *(*)(int))dlsym(h, "gbm_create_device") : NULL;
	int (*supported)(void *, unsigned, unsigned) = h ? (int (*)(void *, unsigned, unsigned))dlsym(h, "gbm_device_is_format_supported") : NULL;
	if (!create || !supported) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	int fds[] = {-1, 4000, open("/dev/null", O_RDWR | O_CLOEXEC), memfd_create("none", MFD_CLOEXEC), open("/dev/zero", O_RDONLY)};
	static const char *const names[] = {"-1", "closed", "/dev/null", "memfd", "/dev/zero"};
	for (int i = 0; i < 5; i++) {
		errno = 0;
		void *d = create(fds[i]);
		printf("%s: %s, %s\n", names[i], d ? "a device" : "none", strerror(errno));
	}
	return 0;
}
