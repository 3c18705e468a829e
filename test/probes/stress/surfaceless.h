/* EGL on no display at all, opened at run time: a context and a small pbuffer for each thread that wants one. */
#ifndef SURFACELESS_H
#define SURFACELESS_H

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 32

static EGLDisplay dpy;
static EGLConfig config;

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed: EGL error 0x%x\n", what, eglGetError());
		exit(1);
	}
}

static void open_display(void)
{
	static const EGLint want[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT,
				      EGL_RED_SIZE, 8, EGL_GREEN_SIZE, 8, EGL_BLUE_SIZE, 8, EGL_NONE};
	EGLint n = 0;
	PFNEGLGETPLATFORMDISPLAYEXTPROC get = (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
	need(get != NULL, "eglGetPlatformDisplayEXT");
	dpy = get(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
	need(dpy != EGL_NO_DISPLAY && eglInitialize(dpy, NULL, NULL), "eglInitialize");
	need(eglChooseConfig(dpy, want, &config, 1, &n) && n == 1, "eglChooseConfig");
}

struct target {
	EGLSurface surface;
	EGLContext context;
};

static struct target make_target(void)
{
	static const EGLint size[] = {EGL_WIDTH, SIZE, EGL_HEIGHT, SIZE, EGL_NONE};
	static const EGLint es2[] = {EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE};
	struct target t = {eglCreatePbufferSurface(dpy, config, size), eglCreateContext(dpy, config, EGL_NO_CONTEXT, es2)};
	need(t.surface != EGL_NO_SURFACE && t.context != EGL_NO_CONTEXT, "a surface and a context");
	return t;
}

static void enter(struct target t) { need(eglMakeCurrent(dpy, t.surface, t.surface, t.context), "eglMakeCurrent"); }
static void leave(void) { need(eglMakeCurrent(dpy, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT), "eglMakeCurrent(none)"); }

static void drop_target(struct target t)
{
	eglDestroySurface(dpy, t.surface);
	eglDestroyContext(dpy, t.context);
}

static GLuint shader(GLenum kind, const char *source)
{
	GLint ok = 0;
	GLuint s = glCreateShader(kind);
	glShaderSource(s, 1, &source, NULL);
	glCompileShader(s);
	glGetShaderiv(s, GL_COMPILE_STATUS, &ok);
	need(ok, "glCompileShader");
	return s;
}

/* A program that fills with the colour of its uniform, and a triangle which covers everything. */
static GLint make_program(void)
{
	static const GLfloat corners[] = {-1, -1, 3, -1, -1, 3};
	GLuint p = glCreateProgram();
	glAttachShader(p, shader(GL_VERTEX_SHADER, "attribute vec2 at; void main() { gl_Position = vec4(at, 0.0, 1.0); }"));
	glAttachShader(p, shader(GL_FRAGMENT_SHADER, "precision mediump float; uniform vec4 c; void main() { gl_FragColor = c; }"));
	glBindAttribLocation(p, 0, "at");
	glLinkProgram(p);
	glUseProgram(p);
	glViewport(0, 0, SIZE, SIZE);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, corners);
	glEnableVertexAttribArray(0);
	return glGetUniformLocation(p, "c");
}

/* Is the middle of the surface this colour (0 to 255, each within one step)? */
static int middle_is(int r, int g, int b)
{
	unsigned char at[4];
	glReadPixels(SIZE / 2, SIZE / 2, 1, 1, GL_RGBA, GL_UNSIGNED_BYTE, at);
	return abs(at[0] - r) <= 1 && abs(at[1] - g) <= 1 && abs(at[2] - b) <= 1;
}
#endif
