/* OpenGL by EGL, in a Wayland window. */
#include "egl.h"
#include "wayland.h"

static void *(*wl_egl_window_create)(void *, int, int);

static void *window(int visual)
{
    void *library = open_library("libwayland-egl.so.1");
    step("wl_egl_window_create");
    NEED(library, wl_egl_window_create);
    void *w = wl_egl_window_create(wayland_surface(), SIDE, SIDE);
    if (!w)
        fail("no window");
    return w;
}

void draw_egl_wayland(void)
{
    open_egl();
    step("eglQueryString");
    if (!client_extension("EGL_EXT_platform_wayland") && !client_extension("EGL_KHR_platform_wayland"))
        fail("EGL has no platform \"wayland\" (EGL_EXT_platform_wayland)");
    void *d = open_display(PLATFORM_WAYLAND, open_wayland());
    if (d)
        draw_on(d, DESKTOP, window);
    fail_egl();
}
