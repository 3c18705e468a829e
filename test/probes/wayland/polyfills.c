/*
 * Calls the capsule root's polyfills for libwayland-client against a compositor, beside the functions of the libwayland
 * here. It loads a root of its own and fills its imports as libcapsule does; with the argument "old" as if
 * this libwayland lacked whatever the root can stand for.
 *
 *	wayland_polyfills ROOT [old]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct import { /* cshim/include/root_abi.h */
	const char *name;
	void **slot;
	const char *library;
} __attribute__((aligned(4 * sizeof(void *))));

struct root {
	const void *base;
	const struct import *imports, *end;
};

struct interface {
	const char *name;
	int version;
};

static void *root, *libwayland;
static int failures;

static void check(int ok, const char *what)
{
	printf("%s %s\n", ok ? "ok" : "FAIL", what);
	failures += !ok;
}

static void *need(void *handle, const char *name)
{
	void *p = dlsym(handle, name);
	if (!p) {
		printf("FAIL %s is missing\n", name);
		exit(1);
	}
	return p;
}

static void *polyfill(const char *name)
{
	char full[100];
	snprintf(full, sizeof full, "polyfill$%s", name);
	return dlsym(root, full);
}

/* The slots are read-only from the root's relocation on (PT_GNU_RELRO); libcapsule opens their pages to fill them. */
static void set(void **slot, void *to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (mprotect((void *)((uintptr_t)slot & -page), page, PROT_READ | PROT_WRITE)) {
		perror("FAIL mprotect");
		exit(1);
	}
	*slot = to;
}

static void fill(int old)
{
	const struct root *interface = need(root, "capsule_root");
	for (const struct import *i = interface->imports; i < interface->end; i++)
		if (!i->library)
			set(i->slot, dlsym(RTLD_DEFAULT, i->name));
		else if (!strcmp(i->library, "libwayland-client.so.0") && !(old && polyfill(i->name)))
			set(i->slot, dlsym(libwayland, i->name));
}

static int globals, done;
static uint32_t compositor_name;

static void on_global(void *data, void *registry, uint32_t name, const char *interface, uint32_t version)
{
	(void)data, (void)registry, (void)version;
	globals++;
	if (!strcmp(interface, "wl_compositor"))
		compositor_name = name;
}

static void on_remove(void *data, void *registry, uint32_t name)
{
	(void)data, (void)registry, (void)name;
}

static void on_done(void *data, void *callback, uint32_t serial)
{
	(void)data, (void)callback, (void)serial;
	done++;
}

int main(int argc, char **argv)
{
	libwayland = dlopen("libwayland-client.so.0", RTLD_NOW | RTLD_LOCAL);
	root = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!libwayland || !root) {
		printf("FAIL %s\n", dlerror());
		return 1;
	}
	fill(argc > 2 && !strcmp(argv[2], "old"));

	void *(*connect)(const char *) = need(libwayland, "wl_display_connect");
	int (*listen)(void *, void *, void *) = need(libwayland, "wl_proxy_add_listener");
	uint32_t (*version_of)(void *) = need(libwayland, "wl_proxy_get_version");
	const char *(*class_of)(void *) = need(libwayland, "wl_proxy_get_class");
	void (*set_queue)(void *, void *) = need(libwayland, "wl_proxy_set_queue");
	int (*error)(void *) = need(libwayland, "wl_display_get_error");
	int (*roundtrip)(void *) = need(libwayland, "wl_display_roundtrip");
	void *(*wrap)(void *) = need(libwayland, "wl_proxy_create_wrapper");
	void (*unwrap)(void *) = need(libwayland, "wl_proxy_wrapper_destroy");
	const struct interface *registry_interface = need(libwayland, "wl_registry_interface");
	const struct interface *callback_interface = need(libwayland, "wl_callback_interface");
	const struct interface *compositor_interface = need(libwayland, "wl_compositor_interface");

	void *(*marshal)(void *, uint32_t, const void *, uint32_t, uint32_t, ...) = polyfill("wl_proxy_marshal_flags");
	void *(*queue_with_name)(void *, const char *) = polyfill("wl_display_create_queue_with_name");
	const char *(*queue_name)(void *) = polyfill("wl_event_queue_get_name");
	void *(*queue_of)(void *) = polyfill("wl_proxy_get_queue");
	void *(*display_of)(void *) = polyfill("wl_proxy_get_display");
	const void *(*interface_of)(void *) = polyfill("wl_proxy_get_interface");
	int (*dispatch)(void *, void *, const struct timespec *) = polyfill("wl_display_dispatch_queue_timeout");
	int (*dispatch_default)(void *, const struct timespec *) = polyfill("wl_display_dispatch_timeout");
	void (*buffer_size)(void *, size_t) = polyfill("wl_display_set_max_buffer_size");
	const struct interface *fixes = polyfill("wl_fixes_interface");
	if (!marshal || !queue_with_name || !queue_name || !queue_of || !display_of || !interface_of || !dispatch ||
	    !dispatch_default || !buffer_size || !fixes) {
		puts("FAIL the root has not all polyfills");
		return 1;
	}

	void *display = connect(NULL);
	if (!display) {
		puts("FAIL no compositor");
		return 1;
	}
	buffer_size(display, 65536);
	void *queue = queue_with_name(display, "a name");
	check(queue != NULL, "wl_display_create_queue_with_name");
	const char *name = queue_name(queue);
	check(!name || !strcmp(name, "a name"), "wl_event_queue_get_name");
	/* display.get_registry(new_id) through a wrapper that puts the registry on the queue */
	void *wrapper = wrap(display);
	set_queue(wrapper, queue);
	void *registry = marshal(wrapper, 1, registry_interface, version_of(wrapper), 0, NULL);
	unwrap(wrapper);
	check(registry && !strcmp(class_of(registry), "wl_registry"), "wl_proxy_marshal_flags makes an object");
	check(queue_of(registry) == queue, "wl_proxy_get_queue");
	check(display_of(registry) == display && display_of(display) == display, "wl_proxy_get_display");
	check(interface_of(registry) == registry_interface, "wl_proxy_get_interface");
	void (*listeners[])(void) = {(void (*)(void))on_global, (void (*)(void))on_remove};
	listen(registry, listeners, NULL);
	struct timespec second = {5, 0}, moment = {0, 20000000};
	int events = dispatch(display, queue, &second);
	check(events > 0 && globals > 0, "wl_display_dispatch_queue_timeout dispatches");
	while (dispatch(display, queue, &moment) > 0)
		;
	check(dispatch(display, queue, &moment) == 0, "wl_display_dispatch_queue_timeout ends when time is up");

	/* registry.bind(name, interface, version, new_id): signature "usun", the version is the new object's */
	void *compositor = marshal(registry, 0, compositor_interface, 3, 0, compositor_name, compositor_interface->name, 3, NULL);
	check(compositor && version_of(compositor) == 3, "the new object has the version asked for");
	/* compositor.create_region, region.add(x, y, width, height), region.destroy with the flag */
	void *region = marshal(compositor, 1, need(libwayland, "wl_region_interface"), 3, 0, NULL);
	check(region && !marshal(region, 1, NULL, 3, 0, -1, -2, 30, 40), "a request without a new object");
	check(!marshal(region, 0, NULL, 3, 1), "a request that destroys the object");
	check(roundtrip(display) >= 0 && error(display) == 0, "the compositor took all of it");

	/* display.sync on the default queue */
	void *callback = marshal(display, 0, callback_interface, version_of(display), 0, NULL);
	void (*callback_listener[])(void) = {(void (*)(void))on_done};
	listen(callback, callback_listener, NULL);
	for (int i = 0; i < 100 && !done; i++)
		if (dispatch_default(display, &second) < 0)
			break;
	check(done == 1, "wl_display_dispatch_timeout dispatches");
	check(!strcmp(fixes->name, "wl_fixes") && fixes->version == 2, "wl_fixes_interface");
	return failures != 0;
}
