/* contexts x11|surfaceless|glx: makes a context of each kind there, clears with it, and prints what it is. No line
 * depends on anything but the driver. */
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GL/gl.h>
#include <GL/glx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed\n", what);
		exit(1);
	}
}

#define GL(name) ((__typeof__(&name))proc(#name))
static void *(*proc)(const char *);

static void show(const char *what)
{
	unsigned char at[4] = {0};
	const char *version = (const char *)GL(glGetString)(GL_VERSION);
	GL(glClearColor)(0.25f, 0.5f, 1, 1);
	GL(glClear)(GL_COLOR_BUFFER_BIT);
	GL(glReadPixels)(1, 1, 1, 1, GL_RGBA, GL_UNSIGNED_BYTE, at);
	printf("%s: %s; %d,%d,%d; error %u\n", what, version ? version : "none", at[0], at[1], at[2], GL(glGetError)());
}

static void egl(EGLDisplay d, EGLenum api, const char *name, int major, int minor, int profile)
{
	char what[64];
	EGLint renderable = api == EGL_OPENGL_API ? EGL_OPENGL_BIT : major == 1 ? EGL_OPENGL_ES_BIT : EGL_OPENGL_ES2_BIT;
	EGLint want[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, renderable, EGL_RED_SIZE, 8, EGL_NONE};
	EGLint size[] = {EGL_WIDTH, 16, EGL_HEIGHT, 16, EGL_NONE};
	EGLint version[] = {EGL_CONTEXT_MAJOR_VERSION, major, EGL_CONTEXT_MINOR_VERSION, minor,
			    profile ? EGL_CONTEXT_OPENGL_PROFILE_MASK : EGL_NONE, profile, EGL_NONE};
	EGLConfig config;
	EGLint n = 0;
	snprintf(what, sizeof what, "%s %d.%d", name, major, minor);
	eglBindAPI(api);
	if (!eglChooseConfig(d, want, &config, 1, &n) || n == 0) {
		printf("%s: no config\n", what);
		return;
	}
	EGLContext c = eglCreateContext(d, config, EGL_NO_CONTEXT, version);
	if (c == EGL_NO_CONTEXT) {
		printf("%s: EGL error %#x\n", what, eglGetError());
		return;
	}
	EGLSurface s = eglCreatePbufferSurface(d, config, size);
	need(s != EGL_NO_SURFACE && eglMakeCurrent(d, s, s, c), "eglMakeCurrent");
	show(what);
	eglMakeCurrent(d, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
	eglDestroySurface(d, s);
	eglDestroyContext(d, c);
}

static void all_egl(EGLDisplay d)
{
	EGLint major, minor;
	need(d != EGL_NO_DISPLAY && eglInitialize(d, &major, &minor), "eglInitialize");
	proc = (void *(*)(const char *))eglGetProcAddress;
	printf("EGL %d.%d, %s, %s\n", major, minor, eglQueryString(d, EGL_VENDOR), eglQueryString(d, EGL_CLIENT_APIS));
	egl(d, EGL_OPENGL_ES_API, "ES", 1, 1, 0);
	egl(d, EGL_OPENGL_ES_API, "ES", 2, 0, 0);
	egl(d, EGL_OPENGL_ES_API, "ES", 3, 0, 0);
	egl(d, EGL_OPENGL_ES_API, "ES", 3, 2, 0);
	egl(d, EGL_OPENGL_API, "core", 3, 3, EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT);
	egl(d, EGL_OPENGL_API, "core", 4, 5, EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT);
	egl(d, EGL_OPENGL_API, "compatibility", 3, 3, EGL_CONTEXT_OPENGL_COMPATIBILITY_PROFILE_BIT);
	egl(d, EGL_OPENGL_API, "compatibility", 4, 5, EGL_CONTEXT_OPENGL_COMPATIBILITY_PROFILE_BIT);
	egl(d, EGL_OPENGL_API, "compatibility", 9, 9, EGL_CONTEXT_OPENGL_COMPATIBILITY_PROFILE_BIT);
	eglTerminate(d);
}

static int note_error(Display *d, XErrorEvent *e)
{
	(void)d;
	printf("X error %d\n", e->error_code);
	return 0;
}

static void glx(Display *d, const char *name, int major, int minor, int profile)
{
	char what[64];
	int want[] = {GLX_DRAWABLE_TYPE, GLX_PBUFFER_BIT, GLX_RED_SIZE, 8, GLX_DOUBLEBUFFER, False, None}, n = 0;
	int size[] = {GLX_PBUFFER_WIDTH, 16, GLX_PBUFFER_HEIGHT, 16, None};
	int version[] = {GLX_CONTEXT_MAJOR_VERSION_ARB, major, GLX_CONTEXT_MINOR_VERSION_ARB, minor,
			 GLX_CONTEXT_PROFILE_MASK_ARB, profile, None};
	PFNGLXCREATECONTEXTATTRIBSARBPROC create = (PFNGLXCREATECONTEXTATTRIBSARBPROC)proc("glXCreateContextAttribsARB");
	snprintf(what, sizeof what, "GLX %s %d.%d", name, major, minor);
	GLXFBConfig *configs = glXChooseFBConfig(d, DefaultScreen(d), want, &n);
	need(n > 0, "glXChooseFBConfig");
	GLXContext c = create(d, configs[0], NULL, True, version);
	XSync(d, False);
	if (!c) {
		printf("%s: no context\n", what);
		return;
	}
	GLXPbuffer p = glXCreatePbuffer(d, configs[0], size);
	need(glXMakeContextCurrent(d, p, p, c), "glXMakeContextCurrent");
	show(what);
	glXMakeContextCurrent(d, None, None, NULL);
	glXDestroyContext(d, c);
	glXDestroyPbuffer(d, p);
	XFree(configs);
}

int main(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : "";
	if (!strcmp(where, "surfaceless")) {
		PFNEGLGETPLATFORMDISPLAYEXTPROC get = (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
		all_egl(get(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL));
		return 0;
	}
	Display *d = XOpenDisplay(NULL);
	need(d != NULL, "XOpenDisplay");
	XSetErrorHandler(note_error);
	if (!strcmp(where, "x11")) {
		all_egl(eglGetDisplay((EGLNativeDisplayType)d));
	} else {
		proc = (void *(*)(const char *))glXGetProcAddress;
		glx(d, "core", 3, 3, GLX_CONTEXT_CORE_PROFILE_BIT_ARB);
		glx(d, "core", 4, 5, GLX_CONTEXT_CORE_PROFILE_BIT_ARB);
		glx(d, "compatibility", 2, 1, GLX_CONTEXT_COMPATIBILITY_PROFILE_BIT_ARB);
		glx(d, "compatibility", 4, 5, GLX_CONTEXT_COMPATIBILITY_PROFILE_BIT_ARB);
		glx(d, "compatibility", 9, 9, GLX_CONTEXT_COMPATIBILITY_PROFILE_BIT_ARB);
	}
	XCloseDisplay(d);
	return 0;
}
