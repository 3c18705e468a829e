/* libwayland-client: what came after 1.10, the oldest release here. Debian 11 has 1.18, and Mesa calls
 * wl_proxy_marshal_flags (1.20), wl_display_create_queue_with_name (1.23) and wl_display_dispatch_queue_timeout (1.24).
 *
 * Where the process has loaded a newer libwayland than the plan saw (a game that brings its own), that one's function
 * is called. Two things the older API cannot express:
 *
 * - WL_MARSHAL_FLAG_DESTROY sends the request and destroys the proxy under one lock. Here the lock is free for a
 *   moment in between, as it was in all code that wayland-scanner wrote before 1.20: an event that another thread
 *   dispatches just then still reaches the proxy's listener.
 * - An event queue has no name (a help for debugging), and a connection's buffers keep their fixed size. */
#include <poll.h>
#include <stdarg.h>

#include "polyfill.h"
#include "wayland_util.h"

#define WAYLAND(type, name, arguments) CAPSULE_IMPORT_FROM("libwayland-client.so.0", type, name, arguments)

union wl_argument {
    int32_t i; /* also f, a 24.8 fixed-point number, and h, a file descriptor */
    uint32_t u;
    const void *pointer; /* s, o, n, a */
};

struct wl_display;
struct wl_event_queue;

/* Private, but the same in every release up to 1.24 (src/wayland-client.c), which is the last that this is used for.
 * That the first word of a proxy is its interface is relied on elsewhere too: it is how EGL recognises a wl_display. */
struct wl_proxy {
    const struct wl_interface *interface;
    const void *implementation;
    uint32_t id;
    struct wl_display *display;
    struct wl_event_queue *queue;
};

#define MAX_ARGUMENTS 20 /* WL_CLOSURE_MAX_ARGS, src/wayland-private.h */
#define MARSHAL_FLAG_DESTROY 1u

WAYLAND(void, wl_proxy_marshal_array, (struct wl_proxy *, uint32_t, union wl_argument *));
WAYLAND(struct wl_proxy *, wl_proxy_marshal_array_constructor_versioned,
        (struct wl_proxy *, uint32_t, union wl_argument *, const struct wl_interface *, uint32_t));
WAYLAND(struct wl_proxy *, wl_proxy_marshal_array_flags,
        (struct wl_proxy *, uint32_t, const struct wl_interface *, uint32_t, uint32_t, union wl_argument *));
WAYLAND(void, wl_proxy_destroy, (struct wl_proxy *));

CAPSULE_POLYFILL(struct wl_proxy *, wl_proxy_marshal_array_flags,
                 (struct wl_proxy * proxy, uint32_t opcode, const struct wl_interface *interface, uint32_t version,
                  uint32_t flags, union wl_argument *arguments))
{
    if (base_wl_proxy_marshal_array_flags)
        return base_wl_proxy_marshal_array_flags(proxy, opcode, interface, version, flags, arguments);
    struct wl_proxy *made = NULL;
    if (!interface)
        base_wl_proxy_marshal_array(proxy, opcode, arguments);
    else if (base_wl_proxy_marshal_array_constructor_versioned)
        made = base_wl_proxy_marshal_array_constructor_versioned(proxy, opcode, arguments, interface, version);
    else
        polyfill_fatal("capsule: error: the runtime's libwayland-client is older than 1.10\n");
    if (flags & MARSHAL_FLAG_DESTROY)
        base_wl_proxy_destroy(proxy);
    return made;
}

/* A signature is one letter an argument; a number before them says since which version the request exists, a question
 * mark that the argument may be NULL (wayland-util.h, struct wl_message). */
CAPSULE_POLYFILL(struct wl_proxy *, wl_proxy_marshal_flags,
                 (struct wl_proxy * proxy, uint32_t opcode, const struct wl_interface *interface, uint32_t version,
                  uint32_t flags, ...))
{
    union wl_argument arguments[MAX_ARGUMENTS] = {0};
    unsigned n = 0;
    va_list list;
    va_start(list, flags);
    for (const char *s = proxy->interface->methods[opcode].signature; *s && n < MAX_ARGUMENTS; s++) {
        switch (*s) {
        case 'i':
        case 'f':
        case 'h':
            arguments[n++].i = va_arg(list, int32_t);
            break;
        case 'u':
            arguments[n++].u = va_arg(list, uint32_t);
            break;
        case 's':
        case 'o':
        case 'n':
        case 'a':
            arguments[n++].pointer = va_arg(list, const void *);
            break;
        }
    }
    va_end(list);
    return polyfill_wl_proxy_marshal_array_flags(proxy, opcode, interface, version, flags, arguments);
}

WAYLAND(const struct wl_interface *, wl_proxy_get_interface, (struct wl_proxy *));

CAPSULE_POLYFILL(const struct wl_interface *, wl_proxy_get_interface, (struct wl_proxy * proxy))
{
    return base_wl_proxy_get_interface ? base_wl_proxy_get_interface(proxy) : proxy->interface;
}

WAYLAND(struct wl_display *, wl_proxy_get_display, (struct wl_proxy *));

CAPSULE_POLYFILL(struct wl_display *, wl_proxy_get_display, (struct wl_proxy * proxy))
{
    return base_wl_proxy_get_display ? base_wl_proxy_get_display(proxy) : proxy->display;
}

WAYLAND(struct wl_event_queue *, wl_proxy_get_queue, (const struct wl_proxy *));

CAPSULE_POLYFILL(struct wl_event_queue *, wl_proxy_get_queue, (const struct wl_proxy *proxy))
{
    return base_wl_proxy_get_queue ? base_wl_proxy_get_queue(proxy) : proxy->queue;
}

WAYLAND(struct wl_event_queue *, wl_display_create_queue, (struct wl_display *));
WAYLAND(struct wl_event_queue *, wl_display_create_queue_with_name, (struct wl_display *, const char *));

CAPSULE_POLYFILL(struct wl_event_queue *, wl_display_create_queue_with_name,
                 (struct wl_display * display, const char *name))
{
    if (base_wl_display_create_queue_with_name)
        return base_wl_display_create_queue_with_name(display, name);
    return base_wl_display_create_queue(display);
}

WAYLAND(const char *, wl_event_queue_get_name, (const struct wl_event_queue *));

/* NULL is what a queue without a name has. */
CAPSULE_POLYFILL(const char *, wl_event_queue_get_name, (const struct wl_event_queue *queue))
{
    return base_wl_event_queue_get_name ? base_wl_event_queue_get_name(queue) : NULL;
}

WAYLAND(void, wl_display_set_max_buffer_size, (struct wl_display *, size_t));

CAPSULE_POLYFILL(void, wl_display_set_max_buffer_size, (struct wl_display * display, size_t size))
{
    if (base_wl_display_set_max_buffer_size)
        base_wl_display_set_max_buffer_size(display, size);
}

WAYLAND(int, wl_display_prepare_read_queue, (struct wl_display *, struct wl_event_queue *));
WAYLAND(int, wl_display_prepare_read, (struct wl_display *));
WAYLAND(int, wl_display_dispatch_queue_pending, (struct wl_display *, struct wl_event_queue *));
WAYLAND(int, wl_display_dispatch_pending, (struct wl_display *));
WAYLAND(int, wl_display_flush, (struct wl_display *));
WAYLAND(int, wl_display_get_fd, (struct wl_display *));
WAYLAND(int, wl_display_read_events, (struct wl_display *));
WAYLAND(void, wl_display_cancel_read, (struct wl_display *));
WAYLAND(int, wl_display_dispatch_timeout, (struct wl_display *, const struct timespec *));
WAYLAND(int, wl_display_dispatch_queue_timeout,
        (struct wl_display *, struct wl_event_queue *, const struct timespec *));
CAPSULE_IMPORT(int, ppoll, (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *));
CAPSULE_IMPORT(int, clock_gettime, (clockid_t, struct timespec *));

#define SECOND 1000000000L /* in nanoseconds */

/* How long until the deadline; nothing when it has passed. */
static struct timespec remaining(const struct timespec *deadline)
{
    struct timespec now;
    base_clock_gettime(CLOCK_MONOTONIC, &now);
    struct timespec left = {deadline->tv_sec - now.tv_sec, deadline->tv_nsec - now.tv_nsec};
    if (left.tv_nsec < 0) {
        left.tv_sec--;
        left.tv_nsec += SECOND;
    }
    return left.tv_sec < 0 ? (struct timespec){0} : left;
}

/* Waits through signals, as libwayland does. deadline NULL: for ever. */
static int wait_for(struct wl_display *display, short events, const struct timespec *deadline)
{
    struct pollfd fd = {.fd = base_wl_display_get_fd(display), .events = events};
    int result;
    do {
        struct timespec left;
        if (deadline)
            left = remaining(deadline);
        result = base_ppoll(&fd, 1, deadline ? &left : NULL, NULL);
    } while (result < 0 && *root_errno() == EINTR);
    return result;
}

/* Sends what is buffered and waits for something to read: 1 when there is, 0 when time is up, -1 on an error. After
 * EPIPE there may still be the compositor's last words to read. */
static int exchange(struct wl_display *display, const struct timespec *deadline)
{
    while (base_wl_display_flush(display) < 0 && *root_errno() != EPIPE) {
        if (*root_errno() != EAGAIN)
            return -1;
        int result = wait_for(display, POLLOUT, deadline);
        if (result <= 0)
            return result;
    }
    return wait_for(display, POLLIN, deadline);
}

/* queue NULL: the display's own, for which the older API has functions apart. */
static int dispatch(struct wl_display *display, struct wl_event_queue *queue, const struct timespec *timeout)
{
    struct timespec deadline;
    if (timeout) {
        base_clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_sec += timeout->tv_sec;
        deadline.tv_nsec += timeout->tv_nsec;
        if (deadline.tv_nsec >= SECOND) {
            deadline.tv_sec++;
            deadline.tv_nsec -= SECOND;
        }
    }
    int prepared = queue ? base_wl_display_prepare_read_queue(display, queue) : base_wl_display_prepare_read(display);
    if (prepared == 0) {
        int result = exchange(display, timeout ? &deadline : NULL);
        if (result <= 0) {
            base_wl_display_cancel_read(display);
            return result;
        }
        if (base_wl_display_read_events(display) < 0)
            return -1;
    }
    return queue ? base_wl_display_dispatch_queue_pending(display, queue) : base_wl_display_dispatch_pending(display);
}

CAPSULE_POLYFILL(int, wl_display_dispatch_queue_timeout,
                 (struct wl_display * display, struct wl_event_queue *queue, const struct timespec *timeout))
{
    if (base_wl_display_dispatch_queue_timeout)
        return base_wl_display_dispatch_queue_timeout(display, queue, timeout);
    return dispatch(display, queue, timeout);
}

CAPSULE_POLYFILL(int, wl_display_dispatch_timeout, (struct wl_display * display, const struct timespec *timeout))
{
    if (base_wl_display_dispatch_timeout)
        return base_wl_display_dispatch_timeout(display, timeout);
    return dispatch(display, NULL, timeout);
}

/* wl_fixes (1.24, wayland.xml), with which a client tells the compositor that it has destroyed a wl_registry. The
 * interfaces that it refers to are the runtime's: the import fills the table. */
static const struct wl_interface *registry_types[] = {NULL, NULL};
static struct capsule_import import_registry __attribute__((section("capsule_imports"), used)) = {
    "wl_registry_interface", (void **)&registry_types[0], "libwayland-client.so.0", 0};

static const struct wl_interface *no_types[1];
static const struct wl_message fixes_requests[] = {
    {"destroy", "", no_types},
    {"destroy_registry", "o", registry_types},
    {"ack_global_remove", "2ou", registry_types},
};

const struct wl_interface polyfill_wl_fixes_interface
    CAPSULE_EXPORTED("polyfill", const struct wl_interface, wl_fixes_interface) = {
    "wl_fixes", 2, sizeof fixes_requests / sizeof *fixes_requests, fixes_requests, 0, NULL};
