/* egl_small: renders a triangle with GLES2 on no display at all, and prints what came out. */
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 64

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed: EGL error 0x%x\n", what, eglGetError());
		exit(1);
	}
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

static EGLDisplay display(void)
{
	const char *ext = eglQueryString(EGL_NO_DISPLAY, EGL_EXTENSIONS);
	PFNEGLGETPLATFORMDISPLAYEXTPROC get = (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
	if (ext && strstr(ext, "EGL_MESA_platform_surfaceless") && get)
		return get(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
	return eglGetDisplay(EGL_DEFAULT_DISPLAY);
}

int main(void)
{
	static const EGLint want[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT,
				      EGL_RED_SIZE, 8, EGL_GREEN_SIZE, 8, EGL_BLUE_SIZE, 8, EGL_NONE};
	static const EGLint size[] = {EGL_WIDTH, SIZE, EGL_HEIGHT, SIZE, EGL_NONE};
	static const EGLint es2[] = {EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE};
	static const GLfloat corners[] = {-1, -1, 1, -1, 0, 1};
	static unsigned char pixels[SIZE * SIZE * 4];
	EGLConfig config;
	EGLint n = 0;

	EGLDisplay d = display();
	need(d != EGL_NO_DISPLAY && eglInitialize(d, NULL, NULL), "eglInitialize");
	need(eglChooseConfig(d, want, &config, 1, &n) && n == 1, "eglChooseConfig");
	EGLSurface s = eglCreatePbufferSurface(d, config, size);
	need(s != EGL_NO_SURFACE, "eglCreatePbufferSurface");
	need(eglBindAPI(EGL_OPENGL_ES_API), "eglBindAPI");
	EGLContext c = eglCreateContext(d, config, EGL_NO_CONTEXT, es2);
	need(c != EGL_NO_CONTEXT && eglMakeCurrent(d, s, s, c), "eglMakeCurrent");

	GLuint p = glCreateProgram();
	glAttachShader(p, shader(GL_VERTEX_SHADER, "attribute vec2 at; void main() { gl_Position = vec4(at, 0.0, 1.0); }"));
	glAttachShader(p, shader(GL_FRAGMENT_SHADER, "void main() { gl_FragColor = vec4(1.0, 0.5, 0.25, 1.0); }"));
	glBindAttribLocation(p, 0, "at");
	glLinkProgram(p);
	glUseProgram(p);
	glViewport(0, 0, SIZE, SIZE);
	glClearColor(0, 0, 0, 1);
	glClear(GL_COLOR_BUFFER_BIT);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, corners);
	glEnableVertexAttribArray(0);
	glDrawArrays(GL_TRIANGLES, 0, 3);
	glReadPixels(0, 0, SIZE, SIZE, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
	need(glGetError() == GL_NO_ERROR, "rendering");

	unsigned hash = 2166136261u, lit = 0; /* FNV-1a */
	for (size_t i = 0; i < sizeof pixels; i++) {
		hash = (hash ^ pixels[i]) * 16777619u;
		lit += i % 4 == 0 && pixels[i] == 255;
	}
	printf("renderer=%s\nversion=%s\nlit=%u\nchecksum=%08x\n", (const char *)glGetString(GL_RENDERER),
	       (const char *)glGetString(GL_VERSION), lit, hash);
	eglMakeCurrent(d, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
	eglTerminate(d);
	/* half of the square, give or take its edges */
	return lit > SIZE * SIZE * 4 / 10 && lit < SIZE * SIZE * 6 / 10 ? 0 : 1;
}
