/* An X display and a window on it, by libX11. Types: as Xlib's own documentation has them. */
#ifndef X11_H
#define X11_H

#include "scene.h"

typedef unsigned long XID;

/* XVisualInfo of Xutil.h. */
struct visual_info {
    void *visual;
    unsigned long id;
    int screen, depth, class;
    unsigned long red, green, blue;
    int colormap_size, bits;
};

/* Opens libX11 and the display that DISPLAY names. */
void *open_x11(void);
int x11_screen(void);
/* A window of SIDE by SIDE pixels that no window manager decorates, once it is on the screen. An id of 0 takes the screen's own
 * visual. */
XID x11_window(const struct visual_info *visual);
XID x11_window_by_id(int id);
/* X tells errors later than they are made: between the two, they are kept. Outside, one ends the scene. */
void x11_allow_errors(void);
bool x11_had_error(void);

#endif
