/* OpenGL by GLX, in an X window. Numbers: Khronos' registry, glx.xml. */
#include "gl.h"
#include "x11.h"

#include <string.h>

enum {
    DOUBLEBUFFER = 5, RED_SIZE = 8, GREEN_SIZE, BLUE_SIZE, DEPTH_SIZE = 12, VENDOR = 1, EXTENSIONS = 3,
    DRAWABLE_TYPE = 0x8010, RENDER_TYPE = 0x8011, X_RENDERABLE = 0x8012, RGBA_TYPE = 0x8014, WINDOW_BIT = 1,
    RGBA_BIT = 1, MAJOR_VERSION = 0x2091, MINOR_VERSION = 0x2092, PROFILE_MASK = 0x9126, CORE_PROFILE = 1,
    SAMPLES = 100001,
};

static void *(*glXGetProcAddressARB)(const char *);
static int (*glXQueryExtension)(void *, int *, int *);
static void **(*glXChooseFBConfig)(void *, int, const int *, int *);
static struct visual_info *(*glXGetVisualFromFBConfig)(void *, void *);
static void *(*glXCreateNewContext)(void *, void *, int, void *, int);
static void *(*glXCreateContextAttribsARB)(void *, void *, void *, int, const int *);
static int (*glXMakeCurrent)(void *, XID, void *);
static int (*glXIsDirect)(void *, void *);
static void (*glXSwapBuffers)(void *, XID);
static void (*glXSwapIntervalEXT)(void *, XID, int);
static const char *(*glXQueryExtensionsString)(void *, int);
static const char *(*glXGetClientString)(void *, int);

static void *display;
static XID window;

static void swap(void) { glXSwapBuffers(display, window); }

static void *context(void *config, enum gl_kind *kind)
{
    static const int core[] = {MAJOR_VERSION, 3, MINOR_VERSION, 2, PROFILE_MASK, CORE_PROFILE, 0};
    void *c = NULL;
    *kind = GL_CORE;
    step("glXCreateContextAttribsARB");
    glXCreateContextAttribsARB = (__typeof__(glXCreateContextAttribsARB))glXGetProcAddressARB("glXCreateContextAttribsARB");
    x11_allow_errors();
    const char *extensions = glXQueryExtensionsString(display, x11_screen());
    if (glXCreateContextAttribsARB && has_word(extensions, "GLX_ARB_create_context_profile"))
        c = glXCreateContextAttribsARB(display, config, NULL, 1, core);
    if (x11_had_error() || !c) {
        step("glXCreateNewContext");
        *kind = GL_LEGACY;
        c = glXCreateNewContext(display, config, RGBA_TYPE, NULL, 1);
    }
    if (!c)
        fail("no context");
    return c;
}

void draw_glx(void)
{
    static const int want[] = {DRAWABLE_TYPE, WINDOW_BIT, RENDER_TYPE, RGBA_BIT, X_RENDERABLE, 1, DOUBLEBUFFER, 1,
                   RED_SIZE, 8, GREEN_SIZE, 8, BLUE_SIZE, 8, DEPTH_SIZE, 16, SAMPLES, 0, 0};
    int n = 0, error_base, event_base;
    enum gl_kind kind;
    void *library = open_api("libGL.so.1");
    step("find the functions of GLX");
    NEED(library, glXGetProcAddressARB);
    NEED(library, glXQueryExtension);
    NEED(library, glXChooseFBConfig);
    NEED(library, glXGetVisualFromFBConfig);
    NEED(library, glXCreateNewContext);
    NEED(library, glXMakeCurrent);
    NEED(library, glXIsDirect);
    NEED(library, glXSwapBuffers);
    NEED(library, glXQueryExtensionsString);
    NEED(library, glXGetClientString);
    display = open_x11();
    step("glXQueryExtension");
    if (!glXQueryExtension(display, &error_base, &event_base))
        fail("the X server has no GLX");
    step("glXChooseFBConfig");
    void **configs = glXChooseFBConfig(display, x11_screen(), want, &n);
    if (!configs || n < 1)
        fail("no configuration with 8 bits a colour, depth and two buffers");
    step("glXGetVisualFromFBConfig");
    struct visual_info *visual = glXGetVisualFromFBConfig(display, configs[0]);
    if (!visual)
        fail("the configuration has no visual");
    void *c = context(configs[0], &kind);
    step("make a window");
    window = x11_window(visual);
    step("glXMakeCurrent");
    if (!glXMakeCurrent(display, window, c))
        fail("the context cannot be made current");
    set_text(drawing.driver, glXGetClientString(display, VENDOR));
    add_fact("rendering is %s", glXIsDirect(display, c) ? "direct" : "indirect");
    /* No waiting for the screen: a window that nobody sees may wait for ever. */
    if (has_word(glXQueryExtensionsString(display, x11_screen()), "GLX_EXT_swap_control")) {
        glXSwapIntervalEXT = (void (*)(void *, XID, int))glXGetProcAddressARB("glXSwapIntervalEXT");
        if (glXSwapIntervalEXT)
            glXSwapIntervalEXT(display, window, 0);
    }
    draw_gl(kind, glXGetProcAddressARB, swap);
}
