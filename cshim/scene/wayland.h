/* A Wayland surface with the role of a window, by libwayland-client. */
#ifndef WAYLAND_H
#define WAYLAND_H

#include "scene.h"

/* Opens libwayland-client and connects to the compositor that the environment names. Returns the wl_display. */
void *open_wayland(void);
/* The wl_surface of a window that the compositor has configured. */
void *wayland_surface(void);

#endif
