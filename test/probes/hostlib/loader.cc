/* The host's side of the dynamic loader: what code in the host's libraries sees of it. */
#include "capsuletest.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *ct_dlopen(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
void *ct_dlsym(void *handle, const char *name) { return dlsym(handle, name); }
int ct_dlclose(void *handle) { return dlclose(handle); }
void *ct_dlsym_default(const char *name) { return dlsym(RTLD_DEFAULT, name); }

/* the address that a symbol has for code of this library by plain linking */
void *ct_linked(const char *name)
{
	const struct {
		const char *name;
		void *address;
	} all[] = {
		{"malloc", reinterpret_cast<void *>(malloc)},
		{"free", reinterpret_cast<void *>(free)},
		{"printf", reinterpret_cast<void *>(printf)},
		{"getenv", reinterpret_cast<void *>(getenv)},
		{"pthread_create", reinterpret_cast<void *>(pthread_create)},
		{"pthread_mutex_lock", reinterpret_cast<void *>(pthread_mutex_lock)},
		{"environ", &environ},
	};
	for (auto &a : all)
		if (!strcmp(a.name, name))
			return a.address;
	return nullptr;
}

/* opens a second library of the host by its bare name, calls it and closes it; -1 if it cannot be opened */
int ct_plugin(int value)
{
	void *h = dlopen("libcapsuletest-plugin.so", RTLD_NOW);
	if (!h)
		return -1;
	auto twice = reinterpret_cast<int (*)(int)>(dlsym(h, "ctp_twice"));
	int got = twice ? twice(value) : -1;
	dlclose(h);
	return got;
}

int ct_dl_iterate(const char *part)
{
	struct Search {
		const char *part;
		int found;
	} s = {part, 0};
	dl_iterate_phdr(
		[](struct dl_phdr_info *info, size_t, void *arg) {
			auto *s = static_cast<Search *>(arg);
			s->found += info->dlpi_name && strstr(info->dlpi_name, s->part);
			return 0;
		},
		&s);
	return s.found;
}

const char *ct_dladdr(void *address)
{
	Dl_info info;
	return dladdr(address, &info) ? info.dli_fname : nullptr;
}
