/* OpenGL and OpenGL ES by EGL: displays, contexts, and the scenes that need no window system. */
#include "egl.h"
#include "gl.h"

#include <stdio.h>
#include <string.h>

enum {
    SUCCESS = 0x3000, RED_SIZE = 0x3024, GREEN_SIZE = 0x3023, BLUE_SIZE = 0x3022, DEPTH_SIZE = 0x3025,
    VISUAL_ID = 0x302e, SURFACE_TYPE = 0x3033, NONE = 0x3038, RENDERABLE = 0x3040, SAMPLES = 0x3031, PBUFFER_BIT = 1,
    WINDOW_BIT = 4, ES2_BIT = 4, DESKTOP_BIT = 8, HEIGHT = 0x3056, WIDTH = 0x3057, VENDOR = 0x3053, VERSION = 0x3054,
    EXTENSIONS = 0x3055, MAJOR_VERSION = 0x3098, MINOR_VERSION = 0x30fb, PROFILE_MASK = 0x30fd, CORE_PROFILE = 1,
    ES_API = 0x30a0, DESKTOP_API = 0x30a2, DEVICE_FILE = 0x3233, DEVICE_RENDERER = 0x335f,
};
enum { DEVICES = 16, CONFIGS = 256 };

static int (*eglGetError)(void);
static void *(*eglGetProcAddress)(const char *);
static const char *(*eglQueryString)(void *, int);
static unsigned (*eglInitialize)(void *, int *, int *);
static unsigned (*eglTerminate)(void *);
static unsigned (*eglBindAPI)(unsigned);
static unsigned (*eglChooseConfig)(void *, const int *, void **, int, int *);
static unsigned (*eglGetConfigAttrib)(void *, void *, int, int *);
static void *(*eglCreateContext)(void *, void *, void *, const int *);
static void *(*eglCreatePbufferSurface)(void *, void *, const int *);
static void *(*eglCreateWindowSurface)(void *, void *, void *, const int *);
static unsigned (*eglMakeCurrent)(void *, void *, void *, void *);
static unsigned (*eglSwapBuffers)(void *, void *);
static unsigned (*eglSwapInterval)(void *, int);
static void *(*eglGetPlatformDisplayEXT)(unsigned, void *, const int *);
static unsigned (*eglQueryDevicesEXT)(int, void **, int *);
static const char *(*eglQueryDeviceStringEXT)(void *, int);
static const char *(*eglGetDisplayDriverName)(void *);

static const char *client;
static char reason[TEXT];
static void *current_display, *current_surface;

#define PROC(name) (name = (__typeof__(name))eglGetProcAddress(#name))

static const char *error_name(int e)
{
    static const char *const names[] = {"EGL_SUCCESS", "EGL_NOT_INITIALIZED", "EGL_BAD_ACCESS", "EGL_BAD_ALLOC",
        "EGL_BAD_ATTRIBUTE", "EGL_BAD_CONFIG", "EGL_BAD_CONTEXT", "EGL_BAD_CURRENT_SURFACE", "EGL_BAD_DISPLAY",
        "EGL_BAD_MATCH", "EGL_BAD_NATIVE_PIXMAP", "EGL_BAD_NATIVE_WINDOW", "EGL_BAD_PARAMETER", "EGL_BAD_SURFACE",
        "EGL_CONTEXT_LOST"};
    e -= SUCCESS;
    return e >= 0 && e < (int)(sizeof names / sizeof *names) ? names[e] : "unknown error";
}

static void note(const char *what)
{
    int e = eglGetError();
    step(what);
    snprintf(reason, sizeof reason, "%s: %s (%#x)", what, error_name(e), (unsigned)e);
}

void fail_egl(void) { fail("%s", reason); }

void open_egl(void)
{
    void *library = open_api("libEGL.so.1");
    step("find the functions of EGL");
    NEED(library, eglGetError);
    NEED(library, eglGetProcAddress);
    NEED(library, eglQueryString);
    NEED(library, eglInitialize);
    NEED(library, eglTerminate);
    NEED(library, eglBindAPI);
    NEED(library, eglChooseConfig);
    NEED(library, eglGetConfigAttrib);
    NEED(library, eglCreateContext);
    NEED(library, eglCreatePbufferSurface);
    NEED(library, eglCreateWindowSurface);
    NEED(library, eglMakeCurrent);
    NEED(library, eglSwapBuffers);
    NEED(library, eglSwapInterval);
    step("eglQueryString");
    client = eglQueryString(NULL, EXTENSIONS);
    if (!has_word(client, "EGL_EXT_platform_base"))
        fail("EGL has no platforms: no driver is there (EGL_EXT_platform_base)");
    PROC(eglGetPlatformDisplayEXT);
    PROC(eglQueryDevicesEXT);
    PROC(eglQueryDeviceStringEXT);
    PROC(eglGetDisplayDriverName);
}

bool client_extension(const char *name) { return has_word(client, name); }

void *open_display(int platform, void *native)
{
    int major, minor;
    void *d = eglGetPlatformDisplayEXT((unsigned)platform, native, NULL);
    if (!d)
        note("eglGetPlatformDisplayEXT");
    else if (!eglInitialize(d, &major, &minor))
        note("eglInitialize");
    else
        return d;
    return NULL;
}

/* EGL sorts those with more bits a colour first: of 8 bits, if there is one. A window brings its own depth. */
static void *config_for(void *d, enum egl_api api, int surface)
{
    for (int depth = surface == WINDOW_BIT ? 24 : 0;; depth = 16) {
        int n = 0, red, want[] = {SURFACE_TYPE, surface, RENDERABLE, api == ES ? ES2_BIT : DESKTOP_BIT, RED_SIZE, 8,
                      GREEN_SIZE, 8, BLUE_SIZE, 8, DEPTH_SIZE, depth, SAMPLES, 0, NONE};
        void *configs[CONFIGS];
        if (!eglChooseConfig(d, want, configs, CONFIGS, &n))
            n = 0;
        n = at_most(n, CONFIGS);
        for (int k = 0; k < n; k++)
            if (eglGetConfigAttrib(d, configs[k], RED_SIZE, &red) && red == 8)
                return configs[k];
        if (n > 0)
            return configs[0];
        if (depth <= 16)
            break;
    }
    note("eglChooseConfig");
    return NULL;
}

/* The newest of what the scene knows to use. Drivers give the latest version that goes with what was asked for. */
static void *context_for(void *d, void *config, enum egl_api api, enum gl_kind *kind)
{
    static const int core[] = {MAJOR_VERSION, 3, MINOR_VERSION, 2, PROFILE_MASK, CORE_PROFILE, NONE}, none[] = {NONE},
             es3[] = {MAJOR_VERSION, 3, NONE}, es2[] = {MAJOR_VERSION, 2, NONE};
    if (!eglBindAPI(api == ES ? ES_API : DESKTOP_API)) {
        note("eglBindAPI");
        return NULL;
    }
    *kind = api == ES ? GL_ES3 : GL_CORE;
    void *c = eglCreateContext(d, config, NULL, api == ES ? es3 : core);
    if (!c) {
        *kind = api == ES ? GL_ES2 : GL_LEGACY;
        c = eglCreateContext(d, config, NULL, api == ES ? es2 : none);
    }
    if (!c)
        note("eglCreateContext");
    return c;
}

static void swap(void)
{
    if (!eglSwapBuffers(current_display, current_surface)) {
        note("eglSwapBuffers");
        fail_egl();
    }
}

void draw_on(void *d, enum egl_api api, void *(*window)(int))
{
    static const int small[] = {WIDTH, 16, HEIGHT, 16, NONE};
    enum gl_kind kind;
    const char *extensions = eglQueryString(d, EXTENSIONS);
    bool bare = !window && has_word(extensions, "EGL_KHR_surfaceless_context");
    void *config = config_for(d, api, window ? WINDOW_BIT : bare ? 0 : PBUFFER_BIT);
    void *context = config ? context_for(d, config, api, &kind) : NULL, *surface = NULL;
    if (!context)
        return;
    if (window) {
        int visual = 0;
        eglGetConfigAttrib(d, config, VISUAL_ID, &visual);
        step("make a window");
        surface = eglCreateWindowSurface(d, config, window(visual), NULL);
    } else if (!bare) {
        surface = eglCreatePbufferSurface(d, config, small);
    }
    if (!surface && !bare) {
        note(window ? "eglCreateWindowSurface" : "eglCreatePbufferSurface");
        return;
    }
    if (!eglMakeCurrent(d, surface, surface, context)) {
        note("eglMakeCurrent");
        return;
    }
    if (has_word(extensions, "EGL_MESA_query_driver") && eglGetDisplayDriverName)
        set_text(drawing.driver, eglGetDisplayDriverName(d));
    else
        set_text(drawing.driver, eglQueryString(d, VENDOR));
    if (window)
        eglSwapInterval(d, 0); /* a window that nobody sees may wait for ever */
    current_display = d;
    current_surface = surface;
    draw_gl(kind, eglGetProcAddress, window ? swap : NULL);
}

/* --- scenes --- */

static void surfaceless(enum egl_api api)
{
    if (!client_extension("EGL_MESA_platform_surfaceless")) {
        step("eglQueryString");
        snprintf(reason, sizeof reason, "EGL has no platform \"surfaceless\" (EGL_MESA_platform_surfaceless)");
        return;
    }
    void *d = open_display(PLATFORM_SURFACELESS, NULL);
    if (d)
        draw_on(d, api, NULL);
}

/* The first device that can. A device has no name before EGL_EXT_device_query_name; its node tells which it is. */
static void devices(enum egl_api api)
{
    void *all[DEVICES];
    int n = 0;
    bool lists = client_extension("EGL_EXT_device_enumeration") || client_extension("EGL_EXT_device_base");
    if (!client_extension("EGL_EXT_platform_device") || !lists || !eglQueryDevicesEXT) {
        step("eglQueryString");
        snprintf(reason, sizeof reason, "EGL has no platform \"device\" (EGL_EXT_platform_device)");
        return;
    }
    if (!eglQueryDevicesEXT(DEVICES, all, &n)) {
        note("eglQueryDevicesEXT");
        return;
    }
    n = at_most(n, DEVICES);
    if (n == 0) {
        step("eglQueryDevicesEXT");
        snprintf(reason, sizeof reason, "EGL has no devices");
        return;
    }
    for (int k = 0; k < n && eglQueryDeviceStringEXT; k++) {
        const char *extensions = eglQueryDeviceStringEXT(all[k], EXTENSIONS), *name = NULL;
        if (has_word(extensions, "EGL_EXT_device_query_name"))
            name = eglQueryDeviceStringEXT(all[k], DEVICE_RENDERER);
        if (!name && has_word(extensions, "EGL_EXT_device_drm"))
            name = eglQueryDeviceStringEXT(all[k], DEVICE_FILE);
        if (!name && has_word(extensions, "EGL_MESA_device_software"))
            name = "software";
        add_device(name ? name : "unnamed");
    }
    if (wanted_device >= n)
        no_such_device(n);
    for (int k = 0; k < n; k++) {
        void *d = wanted_device >= 0 && wanted_device != k ? NULL : open_display(PLATFORM_DEVICE, all[k]);
        if (!d)
            continue;
        draw_on(d, api, NULL);
        eglTerminate(d);
    }
}

void draw_gl_surfaceless(void)
{
    open_egl();
    surfaceless(DESKTOP);
    fail_egl();
}

void draw_gl_device(void)
{
    open_egl();
    devices(DESKTOP);
    fail_egl();
}

void draw_gles_surfaceless(void)
{
    open_egl();
    surfaceless(ES);
    devices(ES);
    fail_egl();
}
