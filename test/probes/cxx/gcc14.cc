/*
 * gcc14: a program built on Debian 13 which needs that release's libgcc_s (GCC_14.0.0) and libstdc++, next to GL, X11
 * and XCB. On an older host it runs only if the game keeps the runtime's libraries.
 */
#include <GL/gl.h>
#include <GL/glx.h>
#include <X11/Xlib-xcb.h>
#include <iostream>
#include <stdexcept>
#include <string>
#include <xcb/xcb.h>

extern "C" int wide_product_ok(unsigned seed);

static std::string renderer(Display *d)
{
	int attr[] = {GLX_RGBA, GLX_DOUBLEBUFFER, None};
	XVisualInfo *vi = glXChooseVisual(d, DefaultScreen(d), attr);
	if (!vi)
		throw std::runtime_error("no visual");
	GLXContext c = glXCreateContext(d, vi, nullptr, True);
	XSetWindowAttributes swa = {};
	swa.colormap = XCreateColormap(d, RootWindow(d, 0), vi->visual, AllocNone);
	Window w = XCreateWindow(d, RootWindow(d, 0), 0, 0, 64, 64, 0, vi->depth, InputOutput, vi->visual, CWColormap, &swa);
	if (!c || !glXMakeCurrent(d, w, c))
		throw std::runtime_error("no context");
	return reinterpret_cast<const char *>(glGetString(GL_RENDERER));
}

int main(int argc, char **)
{
	if (!wide_product_ok(argc)) {
		std::cerr << "gcc14: a 256-bit product is wrong\n";
		return 1;
	}
	Display *d = XOpenDisplay(nullptr);
	if (!d || xcb_connection_has_error(XGetXCBConnection(d))) {
		std::cerr << "gcc14: cannot open the display\n";
		return 1;
	}
	try {
		std::cout << "renderer=" << renderer(d) << "\n";
	} catch (const std::runtime_error &e) {
		std::cerr << "gcc14: " << e.what() << "\n";
		return 1;
	}
	return 0;
}
