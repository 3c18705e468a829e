/* EGL as the scenes need it. Numbers: Khronos' registry, egl.xml. */
#ifndef EGL_H
#define EGL_H

#include "scene.h"

enum egl_api { DESKTOP, ES };

/* Platforms, for eglGetPlatformDisplayEXT. */
enum { PLATFORM_WAYLAND = 0x31d8, PLATFORM_X11 = 0x31d5, PLATFORM_DEVICE = 0x313f, PLATFORM_SURFACELESS = 0x31dd };

/* Opens libEGL. client_extension says whether it has an extension that needs no display. */
void open_egl(void);
bool client_extension(const char *name);
/* NULL, with the step and the reason left for fail_egl, where it cannot be had. */
void *open_display(int platform, void *native);
/* Draws with a context of the display and ends the process; comes back where there is no such context. Without a window into a
 * texture; else window makes the native one, for a visual (EGL_NATIVE_VISUAL_ID). */
void draw_on(void *display, enum egl_api api, void *(*window)(int visual));
_Noreturn void fail_egl(void);

#endif
