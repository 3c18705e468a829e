/* OpenGL by EGL, in an X window. */
#include "egl.h"
#include "x11.h"

static void *window(int visual) { return (void *)x11_window_by_id(visual); }

void draw_egl_x11(void)
{
    open_egl();
    step("eglQueryString");
    if (!client_extension("EGL_EXT_platform_x11") && !client_extension("EGL_KHR_platform_x11"))
        fail("EGL has no platform \"x11\" (EGL_EXT_platform_x11)");
    void *d = open_display(PLATFORM_X11, open_x11());
    if (d)
        draw_on(d, DESKTOP, window);
    fail_egl();
}
