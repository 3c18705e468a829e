/* A GLX context on a window of its own, for programs which are linked to libGL and libX11. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <GL/gl.h>
#include <GL/glx.h>
#include <stdio.h>
#include <stdlib.h>

static Display *dpy;
static Window win;

static void make_context(void)
{
	int attr[] = {GLX_RGBA, GLX_DOUBLEBUFFER, GLX_RED_SIZE, 1, GLX_GREEN_SIZE, 1, GLX_BLUE_SIZE, 1, GLX_DEPTH_SIZE, 1, None};
	dpy = XOpenDisplay(NULL);
	if (!dpy) {
		fprintf(stderr, "cannot open display %s\n", XDisplayName(NULL));
		exit(1);
	}
	XVisualInfo *vi = glXChooseVisual(dpy, DefaultScreen(dpy), attr);
	if (!vi) {
		fprintf(stderr, "no double-buffered RGB visual\n");
		exit(1);
	}
	XSetWindowAttributes swa = {.colormap = XCreateColormap(dpy, RootWindow(dpy, vi->screen), vi->visual, AllocNone)};
	win = XCreateWindow(dpy, RootWindow(dpy, vi->screen), 0, 0, 200, 200, 0, vi->depth, InputOutput, vi->visual,
			    CWColormap, &swa);
	XMapWindow(dpy, win);
	GLXContext ctx = glXCreateContext(dpy, vi, NULL, True);
	if (!ctx || !glXMakeCurrent(dpy, win, ctx)) {
		fprintf(stderr, "cannot make a GLX context\n");
		exit(1);
	}
	XFree(vi);
}
#endif
