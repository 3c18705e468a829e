/* What the host's libraries see of the dynamic loader, and libX11, of which there must be one as well. */
#include "check.h"

#include <X11/Xlib.h>
#include <dlfcn.h>

static const char *addresses(void)
{
	static const char *names[] = {"malloc", "free", "printf", "getenv", "pthread_create", "pthread_mutex_lock", "environ"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *here = dlsym(RTLD_DEFAULT, names[i]);
		WANT(here);
		WANT(ct_linked(names[i]) == here);
		WANT(ct_dlsym_default(names[i]) == here);
	}
	return NULL;
}

/* as libcuda does: by absolute path, or by the name of a library that is only a stub since glibc 2.34 */
static const char *libc_by_name(void)
{
	static const struct {
		const char *library, *symbol;
	} all[] = {
		{"libc.so.6", "malloc"},
		{"libpthread.so.0", "pthread_create"},
		{"/lib/" TRIPLET "/libpthread.so.0", "pthread_create"},
		{"/lib/" TRIPLET "/libc.so.6", "getenv"},
		{"/usr/lib/" TRIPLET "/libdl.so.2", "dlopen"},
		{"libm.so.6", "sin"},
		{"/lib/" TRIPLET "/libm.so.6", "sin"},
		{"librt.so.1", "timer_create"},
	};
	void *libm = dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
	WANT(libm);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		void *h = ct_dlopen(all[i].library), *got;
		if (!h) {
			fprintf(stderr, "dlopen %s: %s\n", all[i].library, dlerror());
			return "a library of libc cannot be opened";
		}
		got = ct_dlsym(h, all[i].symbol);
		/* dlopen itself must be the capsule's own: it decides by its caller's namespace */
		if (strcmp(all[i].symbol, "dlopen") && got != dlsym(RTLD_DEFAULT, all[i].symbol)) {
			fprintf(stderr, "%s: %s is %p, not %p\n", all[i].library, all[i].symbol, got,
				dlsym(RTLD_DEFAULT, all[i].symbol));
			return "a second copy of a library of libc";
		}
		WANT(got);
		ct_dlclose(h);
	}
	return NULL;
}

static const char *self_handle(void)
{
	void *h = ct_dlopen(NULL);
	WANT(h);
	WANT(ct_dlsym(h, "malloc") == dlsym(RTLD_DEFAULT, "malloc"));
	WANT(!ct_dlsym(h, "no_such_symbol_anywhere"));
	ct_dlclose(h);
	return NULL;
}

static const char *plugin(void)
{
	for (int i = 0; i < 3; i++)
		WANT(ct_plugin(21) == 42);
	WANT(!ct_dlopen("libno-such-library.so.1"));
	WANT(dlerror());
	return NULL;
}

static const char *introspection(void)
{
	WANT(ct_dl_iterate("libcapsuletest") >= 1);
	WANT(ct_dl_iterate("libstdc++") >= 1);
	const char *file = ct_dladdr((void *)ct_plugin);
	WANT(file && strstr(file, "capsule"));
	file = ct_dladdr(ct_linked("getenv"));
	WANT(file && strstr(file, "libc"));
	return NULL;
}

static const char *x11(void)
{
	if (!getenv("DISPLAY") || !*getenv("DISPLAY"))
		return not_here;
	Display *game = XOpenDisplay(NULL), *host = ct_open_display();
	WANT(game && host);
	WANT(ct_display_width(game) == DisplayWidth(game, 0) && DisplayWidth(game, 0) > 0);
	WANT(ct_intern_atom(game, "CT_ATOM") == XInternAtom(host, "CT_ATOM", False));
	XSync(host, False);
	XCloseDisplay(host);
	ct_close_display(game);
	return NULL;
}

const struct check loader_checks[] = {
	{"symbol-addresses", addresses},
	{"dlopen-libc", libc_by_name},
	{"dlopen-null", self_handle},
	{"dlopen-plugin", plugin},
	{"dl_iterate_phdr-dladdr", introspection},
	{"libX11", x11},
	{NULL, NULL},
};
