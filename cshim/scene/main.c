/* capsule-scene NAME PICTURE | --list */
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct scene scenes[] = {
	{"gl-surfaceless", "EGL", "surfaceless", draw_gl_surfaceless},
	{"gl-device", "EGL", "device", draw_gl_device},
	{"gles-surfaceless", "EGL", "surfaceless", draw_gles_surfaceless},
	{"glx", "GL", "x11", draw_glx},
	{"egl-x11", "EGL", "x11", draw_egl_x11},
	{"egl-wayland", "EGL", "wayland", draw_egl_wayland},
	{"vulkan", "Vulkan", "memory", draw_vulkan},
	{"vulkan-x11", "Vulkan", "x11", draw_vulkan_x11},
	{"vulkan-wayland", "Vulkan", "wayland", draw_vulkan_wayland},
	{"opencl", "OpenCL", "memory", draw_opencl},
	{"cuda", "CUDA", "memory", draw_cuda},
	{"va-api", "VA-API", "device", draw_va_api},
	{"vdpau", "VDPAU", "x11", draw_vdpau},
};
enum { SCENES = sizeof scenes / sizeof *scenes };

static int say(int fd, const char *text)
{
	size_t n = strlen(text);
	return write(fd, text, n) == (ssize_t)n ? 0 : 1;
}

/* One line a scene: name, API, platform, with tabs between. */
static int list(void)
{
	char line[256];
	for (int k = 0; k < SCENES; k++) {
		snprintf(line, sizeof line, "%s\t%s\t%s\n", scenes[k].name, scenes[k].api, scenes[k].platform);
		if (say(1, line))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	if (argc != 3)
		return say(2, "usage: capsule-scene NAME PICTURE | --list\n"), 2;
	for (int k = 0; k < SCENES; k++)
		if (!strcmp(argv[1], scenes[k].name)) {
			/* What libraries print goes with the errors: the JSON is alone on standard output. */
			int output = fcntl(1, F_DUPFD_CLOEXEC, 3);
			if (output < 0 || dup2(2, 1) < 0)
				return 1;
			begin_report(scenes + k, argv[2], output);
			scenes[k].draw();
			fail("the scene has no end");
		}
	return say(2, "capsule-scene: no such scene (--list names them)\n"), 2;
}
