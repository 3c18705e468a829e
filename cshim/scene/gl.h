/* OpenGL and OpenGL ES, the few calls of the scene. Numbers: Khronos' registry, gl.xml. */
#ifndef GL_H
#define GL_H

#include "scene.h"

enum gl_kind {
    GL_CORE,   /* desktop, 3.2 or later: no names without objects, "in" and "out" in shaders */
    GL_LEGACY, /* desktop, before that */
    GL_ES3,
    GL_ES2,
};

/* Where functions are found: eglGetProcAddress and the like, which give functions of the core too. */
typedef void *(*gl_find)(const char *name);

/* Draws the scene with the current context and ends the process. swap is NULL where there is no window: it then draws into a
 * texture; else into the window, whose picture is read before each swap. */
_Noreturn void draw_gl(enum gl_kind kind, gl_find find, void (*swap)(void));

#endif
