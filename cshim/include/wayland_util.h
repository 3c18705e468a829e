/* What libwayland describes interfaces by: public structures of its wayland-util.h. */
#ifndef CAPSULE_WAYLAND_UTIL_H
#define CAPSULE_WAYLAND_UTIL_H

struct wl_interface;

struct wl_message {
    const char *name, *signature;
    const struct wl_interface **types;
};

struct wl_interface {
    const char *name;
    int version, method_count;
    const struct wl_message *methods;
    int event_count;
    const struct wl_message *events;
};

#endif
