/* The host's side of an interop library: a Display* of either side must be usable on the other. */
#include "capsuletest.h"

#include <X11/Xlib.h>

void *ct_open_display(void) { return XOpenDisplay(nullptr); }
int ct_display_width(void *display) { return DisplayWidth(static_cast<Display *>(display), 0); }
unsigned long ct_intern_atom(void *display, const char *name) { return XInternAtom(static_cast<Display *>(display), name, False); }
void ct_close_display(void *display) { XCloseDisplay(static_cast<Display *>(display)); }
