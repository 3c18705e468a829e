/* libX11: a display, a window, errors. */
#include "x11.h"

#include <stdlib.h>

enum { BORDER = 1 << 3, OVERRIDE = 1 << 9, EVENTS = 1 << 11, COLORMAP = 1 << 13, INPUT_OUTPUT = 1, STRUCTURE = 1 << 17,
       MAPPED = 19, VISUAL_BY_ID = 1 };

struct attributes { /* XSetWindowAttributes */
    XID background_pixmap;
    unsigned long background;
    XID border_pixmap;
    unsigned long border;
    int bit_gravity, window_gravity, backing;
    unsigned long backing_planes, backing_pixel;
    int save_under;
    long events, not_propagated;
    int override;
    XID colormap, cursor;
};

struct error { /* XErrorEvent */
    int type;
    void *display;
    XID resource;
    unsigned long serial;
    unsigned char code, request, minor;
};

union event { /* XEvent */
    int type;
    long room[24];
};

static void *(*XOpenDisplay)(const char *);
static int (*XDefaultScreen)(void *);
static XID (*XRootWindow)(void *, int);
static void *(*XDefaultVisual)(void *, int);
static unsigned long (*XVisualIDFromVisual)(void *);
static struct visual_info *(*XGetVisualInfo)(void *, long, struct visual_info *, int *);
static XID (*XCreateColormap)(void *, XID, void *, int);
static XID (*XCreateWindow)(void *, XID, int, int, unsigned, unsigned, unsigned, int, unsigned, void *, unsigned long,
                struct attributes *);
static int (*XMapWindow)(void *, XID);
static int (*XNextEvent)(void *, union event *);
static int (*XSync)(void *, int);
static void *(*XSetErrorHandler)(int (*)(void *, struct error *));
static void *(*XSetIOErrorHandler)(int (*)(void *));

static void *display;
static int allowed, errors;

static int on_error(void *d, struct error *e)
{
    if (!allowed)
        fail("X error %d of request %d.%d", e->code, e->request, e->minor);
    errors++;
    return 0;
}

static int on_end(void *d) { fail("the connection to the X server has ended"); }

void *open_x11(void)
{
    const char *name = getenv("DISPLAY");
    void *library = open_library("libX11.so.6");
    step("XOpenDisplay");
    NEED(library, XOpenDisplay);
    NEED(library, XDefaultScreen);
    NEED(library, XRootWindow);
    NEED(library, XDefaultVisual);
    NEED(library, XVisualIDFromVisual);
    NEED(library, XGetVisualInfo);
    NEED(library, XCreateColormap);
    NEED(library, XCreateWindow);
    NEED(library, XMapWindow);
    NEED(library, XNextEvent);
    NEED(library, XSync);
    NEED(library, XSetErrorHandler);
    NEED(library, XSetIOErrorHandler);
    if (!name || !*name)
        fail("DISPLAY is not set");
    display = XOpenDisplay(NULL);
    if (!display)
        fail("no connection to display %s", name);
    XSetErrorHandler(on_error);
    XSetIOErrorHandler(on_end);
    return display;
}

int x11_screen(void) { return XDefaultScreen(display); }

XID x11_window(const struct visual_info *v)
{
    union event e = {0};
    XID root = XRootWindow(display, v->screen);
    struct attributes a = {.override = 1, .events = STRUCTURE, .colormap = XCreateColormap(display, root, v->visual, 0)};
    XID window = XCreateWindow(display, root, 0, 0, SIDE, SIDE, 0, v->depth, INPUT_OUTPUT, v->visual,
                   BORDER | OVERRIDE | EVENTS | COLORMAP, &a);
    XMapWindow(display, window);
    while (e.type != MAPPED)
        XNextEvent(display, &e);
    return window;
}

XID x11_window_by_id(int id)
{
    int n = 0, screen = XDefaultScreen(display);
    void *own = XDefaultVisual(display, screen);
    struct visual_info want = {.id = id ? (unsigned long)id : XVisualIDFromVisual(own)};
    struct visual_info *found = XGetVisualInfo(display, VISUAL_BY_ID, &want, &n);
    if (!found || n < 1)
        fail("the display has no visual %#lx", want.id);
    return x11_window(found);
}

void x11_allow_errors(void)
{
    XSync(display, 0);
    errors = 0;
    allowed = 1;
}

bool x11_had_error(void)
{
    XSync(display, 0);
    allowed = 0;
    return errors > 0;
}
