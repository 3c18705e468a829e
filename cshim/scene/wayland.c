/*
 * libwayland-client, as code that wayland-scanner makes would call it. The requests and events are of wayland.xml (version 1 of
 * each interface) and xdg-shell.xml (version 1): an interface's are numbered in their order there, and a signature has one
 * letter an argument (libwayland, "wl_message").
 */
#include "wayland.h"

#include <stdlib.h>
#include <string.h>

#include "wayland_util.h"

enum { GET_REGISTRY = 1, BIND = 0, CREATE_SURFACE = 0, COMMIT = 6, GET_XDG_SURFACE = 2, PONG = 3, GET_TOPLEVEL = 1,
       SET_TITLE = 2, ACK_CONFIGURE = 4 };

static void *(*wl_display_connect)(const char *);
static int (*wl_display_roundtrip)(void *);
static int (*wl_display_dispatch)(void *);
static void *(*wl_proxy_marshal_constructor)(void *, uint32_t, const struct wl_interface *, ...);
static void *(*wl_proxy_marshal_constructor_versioned)(void *, uint32_t, const struct wl_interface *, uint32_t, ...);
static void (*wl_proxy_marshal)(void *, uint32_t, ...);
static int (*wl_proxy_add_listener)(void *, void (**)(void), void *);
static const struct wl_interface *wl_registry_interface, *wl_compositor_interface, *wl_surface_interface;

static const struct wl_interface xdg_surface_interface, xdg_toplevel_interface;
static const struct wl_interface *none[4];
static const struct wl_interface *for_surface[2] = {&xdg_surface_interface}; /* and libwayland's wl_surface */
static const struct wl_interface *for_toplevel[1] = {&xdg_toplevel_interface};

static const struct wl_message wm_requests[] = {
    {"destroy", "", none}, {"create_positioner", "n", none}, {"get_xdg_surface", "no", for_surface}, {"pong", "u", none}};
static const struct wl_message wm_events[] = {{"ping", "u", none}};
static const struct wl_interface xdg_wm_base_interface = {"xdg_wm_base", 1, 4, wm_requests, 1, wm_events};

static const struct wl_message surface_requests[] = {{"destroy", "", none}, {"get_toplevel", "n", for_toplevel},
    {"get_popup", "n?oo", none}, {"set_window_geometry", "iiii", none}, {"ack_configure", "u", none}};
static const struct wl_message surface_events[] = {{"configure", "u", none}};
static const struct wl_interface xdg_surface_interface = {"xdg_surface", 1, 5, surface_requests, 1, surface_events};

static const struct wl_message toplevel_requests[] = {{"destroy", "", none}, {"set_parent", "?o", none},
    {"set_title", "s", none}};
static const struct wl_message toplevel_events[] = {{"configure", "iia", none}, {"close", "", none}};
static const struct wl_interface xdg_toplevel_interface = {"xdg_toplevel", 1, 3, toplevel_requests, 2, toplevel_events};

static void *display, *registry, *compositor, *wm_base;
static bool configured;

static void on_global(void *data, void *proxy, uint32_t name, const char *interface, uint32_t version)
{
    if (!strcmp(interface, "wl_compositor"))
        compositor = wl_proxy_marshal_constructor_versioned(registry, BIND, wl_compositor_interface, 1, name,
                                    interface, 1, NULL);
    else if (!strcmp(interface, "xdg_wm_base"))
        wm_base = wl_proxy_marshal_constructor_versioned(registry, BIND, &xdg_wm_base_interface, 1, name, interface, 1,
                                 NULL);
}
static void on_global_remove(void *data, void *proxy, uint32_t name) {}
static void on_ping(void *data, void *wm, uint32_t serial) { wl_proxy_marshal(wm, PONG, serial); }
static void on_configure(void *data, void *surface, uint32_t serial)
{
    wl_proxy_marshal(surface, ACK_CONFIGURE, serial);
    configured = true;
}
static void on_toplevel_configure(void *data, void *toplevel, int32_t width, int32_t height, void *states) {}
static void on_close(void *data, void *toplevel) {}

/* Handlers in the order of an interface's events. */
#define LISTEN(proxy, ...)                                                                                             \
    do {                                                                                                           \
        static void (*handlers[])(void) = {__VA_ARGS__};                                                       \
        wl_proxy_add_listener(proxy, handlers, NULL);                                                          \
    } while (0)
#define HANDLER(f) ((void (*)(void))f)

void *open_wayland(void)
{
    void *library = open_library("libwayland-client.so.0");
    const char *name = getenv("WAYLAND_DISPLAY");
    step("wl_display_connect");
    NEED(library, wl_display_connect);
    NEED(library, wl_display_roundtrip);
    NEED(library, wl_display_dispatch);
    NEED(library, wl_proxy_marshal_constructor);
    NEED(library, wl_proxy_marshal_constructor_versioned);
    NEED(library, wl_proxy_marshal);
    NEED(library, wl_proxy_add_listener);
    NEED(library, wl_registry_interface);
    NEED(library, wl_compositor_interface);
    NEED(library, wl_surface_interface);
    display = wl_display_connect(NULL);
    if (!display)
        fail("no connection to the compositor (WAYLAND_DISPLAY is %s)", name && *name ? name : "not set");
    return display;
}

void *wayland_surface(void)
{
    step("bind the compositor");
    for_surface[1] = wl_surface_interface;
    registry = wl_proxy_marshal_constructor(display, GET_REGISTRY, wl_registry_interface, NULL);
    LISTEN(registry, HANDLER(on_global), HANDLER(on_global_remove));
    if (wl_display_roundtrip(display) < 0)
        fail("the connection to the compositor has ended");
    if (!compositor || !wm_base)
        fail("the compositor has no %s", compositor ? "xdg_wm_base" : "wl_compositor");
    step("make a window");
    LISTEN(wm_base, HANDLER(on_ping));
    void *surface = wl_proxy_marshal_constructor(compositor, CREATE_SURFACE, wl_surface_interface, NULL);
    void *role = wl_proxy_marshal_constructor(wm_base, GET_XDG_SURFACE, &xdg_surface_interface, NULL, surface);
    LISTEN(role, HANDLER(on_configure));
    void *toplevel = wl_proxy_marshal_constructor(role, GET_TOPLEVEL, &xdg_toplevel_interface, NULL);
    LISTEN(toplevel, HANDLER(on_toplevel_configure), HANDLER(on_close));
    wl_proxy_marshal(toplevel, SET_TITLE, "capsule-scene");
    wl_proxy_marshal(surface, COMMIT); /* without a picture: the compositor answers with what it wants */
    while (!configured)
        if (wl_display_dispatch(display) < 0)
            fail("the connection to the compositor has ended");
    return surface;
}
