/*
 * egl_draw [--software] [--pictures DIR]: a picture by OpenGL ES 2 on each EGL device, and on the surfaceless platform,
 * without any window system. Devices that are the processor count only with --software.
 */
#include "gpu.h"

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <stdbool.h>
#include <string.h>

enum { SIDE = 256, FRAMES = 100 };

static void *(*proc)(const char *);
static const char *pictures;
static bool software;
static int drawn;

#define EGL(name) ((__typeof__(&name))proc(#name))
#define EXT(type, name) ((type)proc(name))

static void need(bool ok, const char *what)
{
	if (!ok) {
		printf("%s failed, EGL error %#x\n", what, (unsigned)EGL(eglGetError)());
		exit(1);
	}
}

/* GLES, each by eglGetProcAddress: EGL 1.5, or EGL_KHR_get_all_proc_addresses. */
static GLuint shader(GLenum kind, const char *text)
{
	GLint ok = 0;
	GLuint s = EGL(glCreateShader)(kind);
	EGL(glShaderSource)(s, 1, &text, NULL);
	EGL(glCompileShader)(s);
	EGL(glGetShaderiv)(s, GL_COMPILE_STATUS, &ok);
	if (!ok) {
		char log[2048] = "";
		EGL(glGetShaderInfoLog)(s, sizeof log, NULL, log);
		printf("shader: %s\n", log);
		exit(1);
	}
	return s;
}

static const char *const vertex = "attribute vec2 at;\n"
				  "varying vec2 place;\n"
				  "void main() { place = at; gl_Position = vec4(at, 0.0, 1.0); }\n";

/* The Mandelbrot set: many steps a pixel, and an outline that small differences would show in. */
static const char *const fragment = "precision highp float;\n"
				    "varying vec2 place;\n"
				    "void main() {\n"
				    "  vec2 c = place * 1.3 - vec2(0.6, 0.0), z = vec2(0.0);\n"
				    "  float n = 0.0;\n"
				    "  for (int i = 0; i < 64; i++)\n"
				    "    if (dot(z, z) < 4.0) { z = vec2(z.x*z.x - z.y*z.y, 2.0*z.x*z.y) + c; n += 1.0; }\n"
				    "  gl_FragColor = vec4(n / 64.0, place * 0.5 + 0.5, 1.0);\n"
				    "}\n";

static void draw(const char *name)
{
	static const GLfloat corners[] = {-1, -1, 1, -1, -1, 1, 1, 1};
	static unsigned char pixels[SIDE * SIDE * 4];
	GLuint texture, frame, p = EGL(glCreateProgram)();
	GLint ok = 0;
	EGL(glAttachShader)(p, shader(GL_VERTEX_SHADER, vertex));
	EGL(glAttachShader)(p, shader(GL_FRAGMENT_SHADER, fragment));
	EGL(glBindAttribLocation)(p, 0, "at");
	EGL(glLinkProgram)(p);
	EGL(glGetProgramiv)(p, GL_LINK_STATUS, &ok);
	need(ok, "glLinkProgram");
	EGL(glUseProgram)(p);
	EGL(glGenTextures)(1, &texture);
	EGL(glBindTexture)(GL_TEXTURE_2D, texture);
	EGL(glTexImage2D)(GL_TEXTURE_2D, 0, GL_RGBA, SIDE, SIDE, 0, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
	EGL(glTexParameteri)(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
	EGL(glGenFramebuffers)(1, &frame);
	EGL(glBindFramebuffer)(GL_FRAMEBUFFER, frame);
	EGL(glFramebufferTexture2D)(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
	need(EGL(glCheckFramebufferStatus)(GL_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE, "glCheckFramebufferStatus");
	EGL(glViewport)(0, 0, SIDE, SIDE);
	EGL(glVertexAttribPointer)(0, 2, GL_FLOAT, GL_FALSE, 0, corners);
	EGL(glEnableVertexAttribArray)(0);
	double t = 0;
	for (int k = -1; k < FRAMES; k++) { /* the first compiles */
		if (k == 0)
			t = now_ms();
		EGL(glDrawArrays)(GL_TRIANGLE_STRIP, 0, 4);
		EGL(glReadPixels)(0, 0, SIDE, SIDE, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
	}
	print_time("EGL frame", (now_ms() - t) / FRAMES);
	printf("%s: %s, %s, hash %016llx, error %u\n", name, (const char *)EGL(glGetString)(GL_RENDERER),
	       (const char *)EGL(glGetString)(GL_VERSION), (unsigned long long)hash_bytes(pixels, sizeof pixels),
	       EGL(glGetError)());
	write_picture(pictures, name, pixels, SIDE, SIDE);
	drawn++;
}

static bool is_software(void)
{
	const char *r = (const char *)EGL(glGetString)(GL_RENDERER);
	return !r || strstr(r, "llvmpipe") || strstr(r, "softpipe") || strstr(r, "swrast");
}

static void display(EGLDisplay d, const char *name)
{
	EGLint major, minor, n = 0;
	EGLint want[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT, EGL_RED_SIZE, 8, EGL_NONE};
	EGLint version[] = {EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE}, size[] = {EGL_WIDTH, 16, EGL_HEIGHT, 16, EGL_NONE};
	EGLConfig config;
	double t = now_ms();
	if (d == EGL_NO_DISPLAY || !EGL(eglInitialize)(d, &major, &minor)) {
		printf("%s: no display, EGL error %#x\n", name, (unsigned)EGL(eglGetError)());
		return;
	}
	printf("%s: EGL %d.%d, %s, %s\n", name, major, minor, EGL(eglQueryString)(d, EGL_VENDOR),
	       EGL(eglQueryString)(d, EGL_VERSION));
	need(EGL(eglBindAPI)(EGL_OPENGL_ES_API), "eglBindAPI");
	need(EGL(eglChooseConfig)(d, want, &config, 1, &n) && n == 1, "eglChooseConfig");
	EGLContext c = EGL(eglCreateContext)(d, config, EGL_NO_CONTEXT, version);
	need(c != EGL_NO_CONTEXT, "eglCreateContext");
	EGLSurface s = EGL(eglCreatePbufferSurface)(d, config, size);
	need(s != EGL_NO_SURFACE && EGL(eglMakeCurrent)(d, s, s, c), "eglMakeCurrent");
	print_time("EGL context", now_ms() - t);
	if (is_software() && !software)
		printf("%s: %s is no GPU\n", name, (const char *)EGL(glGetString)(GL_RENDERER));
	else
		draw(name);
	EGL(eglMakeCurrent)(d, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
	EGL(eglDestroySurface)(d, s);
	EGL(eglDestroyContext)(d, c);
	EGL(eglTerminate)(d);
}

int main(int argc, char **argv)
{
	for (int k = 1; k < argc; k++)
		if (!strcmp(argv[k], "--software"))
			software = true;
		else if (!strcmp(argv[k], "--pictures") && k + 1 < argc)
			pictures = argv[++k];
		else
			return 2;
	double t = now_ms();
	proc = (void *(*)(const char *))need_symbol(open_library("libEGL.so.1"), "eglGetProcAddress");
	print_time("EGL open", now_ms() - t);
	const char *client = EGL(eglQueryString)(EGL_NO_DISPLAY, EGL_EXTENSIONS);
	if (!client || !strstr(client, "EGL_EXT_platform_base")) {
		printf("EGL has no platforms: %s\n", client ? client : "no extensions");
		return NOTHING;
	}
	PFNEGLGETPLATFORMDISPLAYEXTPROC get = EXT(PFNEGLGETPLATFORMDISPLAYEXTPROC, "eglGetPlatformDisplayEXT");
	PFNEGLQUERYDEVICESEXTPROC list = EXT(PFNEGLQUERYDEVICESEXTPROC, "eglQueryDevicesEXT");
	PFNEGLQUERYDEVICESTRINGEXTPROC describe = EXT(PFNEGLQUERYDEVICESTRINGEXTPROC, "eglQueryDeviceStringEXT");
	EGLDeviceEXT devices[16];
	EGLint n = 0;
	if (strstr(client, "EGL_EXT_device_enumeration") || strstr(client, "EGL_EXT_device_base")) {
		EGLBoolean ok = list(16, devices, &n);
		printf("eglQueryDevicesEXT: %u, %d devices\n", ok, n);
	}
	for (int k = 0; k < n; k++) {
		char name[32];
		const char *node = describe(devices[k], EGL_DRM_DEVICE_FILE_EXT);
		snprintf(name, sizeof name, "egl-device-%d", k);
		EGL(eglGetError)(); /* a device without a node has given one */
		printf("%s: node %s\n", name, node ? node : "none");
		display(get(EGL_PLATFORM_DEVICE_EXT, devices[k], NULL), name);
	}
	if (strstr(client, "EGL_MESA_platform_surfaceless"))
		display(get(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL), "egl-surfaceless");
	return drawn ? 0 : NOTHING;
}
