/* gl_dlopen: opens libGL, libEGL and libvulkan at run time, as SDL does, and calls through what it finds. */
#include <EGL/egl.h>
#include <GL/gl.h>
#include <GL/glx.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <vulkan/vulkan.h>

static void *need(void *p, const char *what)
{
	if (!p) {
		const char *why = dlerror();
		fprintf(stderr, "%s: %s\n", what, why ? why : "null");
		exit(1);
	}
	return p;
}

#define SYM(h, name) __typeof__(&name) p_##name = (__typeof__(&name))need(dlsym(h, #name), #name)

static void glx(void)
{
	void *h = need(dlopen("libGL.so.1", RTLD_NOW | RTLD_GLOBAL), "libGL.so.1");
	SYM(h, glXGetProcAddress);
	SYM(h, glXChooseVisual);
	SYM(h, glXCreateContext);
	SYM(h, glXMakeCurrent);
	SYM(h, glXDestroyContext);
	SYM(h, glGetString);
	int attr[] = {GLX_RGBA, GLX_DOUBLEBUFFER, None};
	Display *d = need(XOpenDisplay(NULL), "XOpenDisplay");
	XVisualInfo *vi = need(p_glXChooseVisual(d, 0, attr), "glXChooseVisual");
	XSetWindowAttributes swa = {.colormap = XCreateColormap(d, RootWindow(d, 0), vi->visual, AllocNone)};
	Window w = XCreateWindow(d, RootWindow(d, 0), 0, 0, 64, 64, 0, vi->depth, InputOutput, vi->visual, CWColormap, &swa);
	GLXContext c = need(p_glXCreateContext(d, vi, NULL, True), "glXCreateContext");
	if (!p_glXMakeCurrent(d, w, c))
		need(NULL, "glXMakeCurrent");
	__typeof__(&glGetString) by_proc = (__typeof__(&glGetString))need(
		(void *)p_glXGetProcAddress((const GLubyte *)"glGetString"), "glXGetProcAddress(glGetString)");
	/* a function that libGL does not export: only the driver knows it */
	need((void *)p_glXGetProcAddress((const GLubyte *)"glCreateShader"), "glXGetProcAddress(glCreateShader)");
	printf("glx=%s\n", (const char *)need((void *)p_glGetString(GL_RENDERER), "glGetString"));
	printf("glx_proc=%s\n", (const char *)need((void *)by_proc(GL_RENDERER), "glGetString by glXGetProcAddress"));
	p_glXMakeCurrent(d, None, NULL);
	p_glXDestroyContext(d, c);
	XCloseDisplay(d);
	dlclose(h);
}

static void egl(void)
{
	void *h = need(dlopen("libEGL.so.1", RTLD_NOW | RTLD_LOCAL), "libEGL.so.1");
	SYM(h, eglGetProcAddress);
	SYM(h, eglGetDisplay);
	SYM(h, eglQueryString);
	__typeof__(&eglInitialize) init = (__typeof__(&eglInitialize))need((void *)p_eglGetProcAddress("eglInitialize"), "eglInitialize");
	EGLDisplay d = need(p_eglGetDisplay(EGL_DEFAULT_DISPLAY), "eglGetDisplay");
	if (!init(d, NULL, NULL))
		need(NULL, "eglInitialize");
	printf("egl=%s\n", p_eglQueryString(d, EGL_VENDOR));
	SYM(h, eglTerminate);
	p_eglTerminate(d);
	dlclose(h);
}

static void vulkan(void)
{
	void *h = need(dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL), "libvulkan.so.1");
	SYM(h, vkGetInstanceProcAddr);
	PFN_vkCreateInstance create = (PFN_vkCreateInstance)need((void *)p_vkGetInstanceProcAddr(NULL, "vkCreateInstance"), "vkCreateInstance");
	VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_0};
	VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
	VkInstance i;
	VkResult r = create(&info, NULL, &i);
	if (r != VK_SUCCESS) {
		fprintf(stderr, "vkCreateInstance: %d\n", r);
		exit(1);
	}
#define PROC(name) PFN_##name p_##name = (PFN_##name)need((void *)p_vkGetInstanceProcAddr(i, #name), #name)
	PROC(vkEnumeratePhysicalDevices);
	PROC(vkGetPhysicalDeviceProperties);
	PROC(vkDestroyInstance);
	VkPhysicalDevice devices[8];
	uint32_t n = 8;
	r = p_vkEnumeratePhysicalDevices(i, &n, devices);
	if ((r != VK_SUCCESS && r != VK_INCOMPLETE) || n == 0) {
		fprintf(stderr, "vkEnumeratePhysicalDevices: %d, %u devices\n", r, n);
		exit(1);
	}
	for (uint32_t k = 0; k < n; k++) {
		VkPhysicalDeviceProperties p;
		p_vkGetPhysicalDeviceProperties(devices[k], &p);
		printf("vulkan=%s\n", p.deviceName);
	}
	p_vkDestroyInstance(i, NULL);
	dlclose(h);
}

int main(void)
{
	glx();
	egl();
	vulkan();
	puts("done");
	return 0;
}
