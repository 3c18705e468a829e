/* xcb_gl: a window and its events by xcb, the context by GLX, one connection for both (XGetXCBConnection), as toolkits do. */
#include <GL/gl.h>
#include <GL/glx.h>
#include <X11/Xlib-xcb.h>
#include <stdio.h>
#include <stdlib.h>
#include <xcb/xcb.h>

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed\n", what);
		exit(1);
	}
}

int main(void)
{
	int attr[] = {GLX_RGBA, GLX_DOUBLEBUFFER, GLX_RED_SIZE, 8, GLX_GREEN_SIZE, 8, GLX_BLUE_SIZE, 8, None};
	Display *d = XOpenDisplay(NULL);
	need(d != NULL, "XOpenDisplay");
	xcb_connection_t *c = XGetXCBConnection(d);
	need(c && !xcb_connection_has_error(c), "XGetXCBConnection");
	XSetEventQueueOwner(d, XCBOwnsEventQueue);
	XVisualInfo *vi = glXChooseVisual(d, DefaultScreen(d), attr);
	need(vi != NULL, "glXChooseVisual");

	xcb_screen_t *screen = xcb_setup_roots_iterator(xcb_get_setup(c)).data;
	xcb_colormap_t map = xcb_generate_id(c);
	xcb_window_t w = xcb_generate_id(c);
	xcb_create_colormap(c, XCB_COLORMAP_ALLOC_NONE, map, screen->root, vi->visualid);
	uint32_t values[] = {0, XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_STRUCTURE_NOTIFY, map};
	xcb_void_cookie_t made = xcb_create_window_checked(c, vi->depth, w, screen->root, 0, 0, 64, 64, 0,
		XCB_WINDOW_CLASS_INPUT_OUTPUT, vi->visualid, XCB_CW_BORDER_PIXEL | XCB_CW_EVENT_MASK | XCB_CW_COLORMAP, values);
	need(!xcb_request_check(c, made), "xcb_create_window");
	xcb_map_window(c, w);
	xcb_flush(c);

	GLXContext ctx = glXCreateContext(d, vi, NULL, True);
	need(ctx && glXMakeCurrent(d, w, ctx), "glXMakeCurrent");
	int exposed = 0;
	while (!exposed) {
		xcb_generic_event_t *e = xcb_wait_for_event(c);
		need(e != NULL, "xcb_wait_for_event");
		exposed = (e->response_type & 0x7f) == XCB_EXPOSE;
		free(e);
	}
	glClearColor(1, 0.5f, 0, 1);
	glClear(GL_COLOR_BUFFER_BIT);
	glXSwapBuffers(d, w);
	glFinish();

	/* what the server has is what was drawn */
	xcb_get_image_reply_t *image = xcb_get_image_reply(c,
		xcb_get_image(c, XCB_IMAGE_FORMAT_Z_PIXMAP, w, 32, 32, 1, 1, ~0u), NULL);
	need(image && xcb_get_image_data_length(image) >= 3, "xcb_get_image");
	unsigned char *bgr = xcb_get_image_data(image);
	printf("renderer=%s\npixel=%d,%d,%d\n", (const char *)glGetString(GL_RENDERER), bgr[2], bgr[1], bgr[0]);
	int ok = bgr[2] > 250 && bgr[1] > 120 && bgr[1] < 135 && bgr[0] < 5;
	free(image);
	glXMakeCurrent(d, None, NULL);
	glXDestroyContext(d, ctx);
	XFree(vi);
	XCloseDisplay(d);
	return !ok;
}
