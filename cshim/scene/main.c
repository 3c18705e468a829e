/* capsule-scene NAME[@DEVICE] PICTURE | --list */
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct scene scenes[] = {
    {"gl-surfaceless", "EGL", "surfaceless", draw_gl_surfaceless, false},
    {"gl-device", "EGL", "device", draw_gl_device, true},
    {"gles-surfaceless", "EGL", "surfaceless", draw_gles_surfaceless, false},
    {"glx", "GL", "x11", draw_glx, false},
    {"egl-x11", "EGL", "x11", draw_egl_x11, false},
    {"egl-wayland", "EGL", "wayland", draw_egl_wayland, false},
    {"vulkan", "Vulkan", "memory", draw_vulkan, true},
    {"vulkan-x11", "Vulkan", "x11", draw_vulkan_x11, true},
    {"vulkan-wayland", "Vulkan", "wayland", draw_vulkan_wayland, true},
    {"opencl", "OpenCL", "memory", draw_opencl, true},
    {"cuda", "CUDA", "memory", draw_cuda, true},
    {"va-api", "VA-API", "device", draw_va_api, false},
    {"vdpau", "VDPAU", "x11", draw_vdpau, false},
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

/* A scene by its name, with the number of a device behind an @ if there is a choice. */
static const struct scene *find(const char *name)
{
    size_t n = strcspn(name, "@");
    for (int k = 0; k < SCENES; k++) {
        if (strlen(scenes[k].name) != n || strncmp(scenes[k].name, name, n))
            continue;
        if (name[n] == 0)
            return scenes + k;
        const char *digits = name + n + 1;
        if (!scenes[k].choice || !*digits || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 4)
            return NULL;
        for (wanted_device = 0; *digits; digits++)
            wanted_device = 10 * wanted_device + *digits - '0';
        return scenes + k;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--list"))
        return list();
    if (argc != 3)
        return say(2, "usage: capsule-scene NAME[@DEVICE] PICTURE | --list\n"), 2;
    const struct scene *scene = find(argv[1]);
    if (!scene)
        return say(2, "capsule-scene: no such scene (--list names them)\n"), 2;
    /* What libraries print goes with the errors: the JSON is alone on standard output. */
    int output = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (output < 0 || dup2(2, 1) < 0)
        return 1;
    begin_report(scene, argv[2], output);
    scene->draw();
    fail("the scene has no end");
}
