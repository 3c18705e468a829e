/* What dlopen and its relatives must do for a library of the host, wherever it is loaded. */
#include "capsuletest.h"
#include "selftest.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>

namespace {

/* -a is opened with RTLD_GLOBAL; -b refers to its function without naming it in DT_NEEDED. */
const char *global_is_seen_later()
{
	void *a = dlopen("libcapsuletest-a.so", RTLD_NOW | RTLD_GLOBAL);
	WANT(a);
	void *b = dlopen("libcapsuletest-b.so", RTLD_NOW);
	WANT(b);
	auto through = reinterpret_cast<int (*)(int)>(dlsym(b, "ctb_through"));
	WANT(through && through(20) == 41);
	WANT(dlsym(RTLD_DEFAULT, "cta_odd"));
	dlclose(b);
	dlclose(a);
	return nullptr;
}

const char *twice_is_one()
{
	void *first = dlopen("libcapsuletest-plugin.so", RTLD_NOW), *second = dlopen("libcapsuletest-plugin.so", RTLD_NOW);
	WANT(first && first == second);
	dlclose(first);
	auto twice = reinterpret_cast<int (*)(int)>(dlsym(second, "ctp_twice"));
	WANT(twice && twice(4) == 8);
	dlclose(second);
	return nullptr;
}

const char *noload_does_not_load()
{
	WANT(!dlopen("libcapsuletest-plugin.so", RTLD_NOW | RTLD_NOLOAD));
	void *h = dlopen("libcapsuletest-plugin.so", RTLD_NOW);
	void *again = dlopen("libcapsuletest-plugin.so", RTLD_NOW | RTLD_NOLOAD);
	WANT(h && again == h);
	dlclose(again);
	dlclose(h);
	WANT(!dlopen("libcapsuletest-plugin.so", RTLD_NOW | RTLD_NOLOAD));
	return nullptr;
}

const char *errors_are_told()
{
	dlerror();
	WANT(!dlerror());
	WANT(!dlopen("libno-such-library.so.7", RTLD_NOW));
	const char *e = dlerror();
	WANT(e && strstr(e, "libno-such-library.so.7") && strstr(e, "cannot open shared object file"));
	WANT(!dlerror());
	void *h = dlopen("libcapsuletest-plugin.so", RTLD_NOW);
	WANT(h && !dlsym(h, "no_such_symbol"));
	e = dlerror();
	WANT(e && strstr(e, "undefined symbol: no_such_symbol"));
	WANT(!dlvsym(h, "ctp_twice", "NO_SUCH_VERSION"));
	WANT(dlerror());
	dlclose(h);
	return nullptr;
}

const char *info_is_given()
{
	void *h = dlopen("libcapsuletest-plugin.so", RTLD_NOW);
	WANT(h);
	link_map *map = nullptr;
	WANT(dlinfo(h, RTLD_DI_LINKMAP, &map) == 0 && map && strstr(map->l_name, "libcapsuletest-plugin.so"));
	char origin[4096];
	WANT(dlinfo(h, RTLD_DI_ORIGIN, origin) == 0 && strstr(map->l_name, origin));
	Dl_info info;
	void *f = dlsym(h, "ctp_twice");
	WANT(f && dladdr(f, &info) && info.dli_sname && !strcmp(info.dli_sname, "ctp_twice"));
	WANT(!strcmp(info.dli_fname, map->l_name));
	dlclose(h);
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	WANT(libc && dlvsym(libc, "malloc", BASE_VERSION) == dlsym(libc, "malloc"));
	dlclose(libc);
	return nullptr;
}

int count(const char *part)
{
	struct Search {
		const char *part;
		int found;
	} s = {part, 0};
	dl_iterate_phdr(
		[](dl_phdr_info *info, size_t, void *arg) {
			auto *s = static_cast<Search *>(arg);
			s->found += info->dlpi_name && strstr(info->dlpi_name, s->part);
			return 0;
		},
		&s);
	return s.found;
}

/* A library that nobody planned, opened by path (CT_STRAY): what it needs is what is there already. */
const char *stray_shares_what_is_loaded()
{
	const char *path = getenv("CT_STRAY");
	if (!path)
		return "CT_STRAY is not set";
	int before = count("libstdc++");
	void *h = dlopen(path, RTLD_NOW);
	WANT(h);
	auto twice = reinterpret_cast<int (*)(int)>(dlsym(h, "ctp_twice"));
	WANT(twice && twice(5) == 10);
	WANT(count("libstdc++") == before);
	dlclose(h);
	return nullptr;
}

} // namespace

const Selftest dlopen_tests[] = {
	{"host-dlopen-global", global_is_seen_later},
	{"host-dlopen-noload", noload_does_not_load},
	{"host-dlopen-twice", twice_is_one},
	{"host-dlerror", errors_are_told},
	{"host-dlinfo", info_is_given},
	{"host-dlopen-stray", stray_shares_what_is_loaded},
	{nullptr, nullptr},
};
