/* The scene by a kernel of OpenCL 1.0, which the driver compiles. Numbers and types: Khronos' registry, cl.xml. */
#include "scene.h"

#include <stdio.h>
#include <string.h>

enum {
    PLATFORMS = 16, DEVICES = 32, LOG = 65536, PLATFORM_VERSION = 0x901, PLATFORM_NAME, DEVICE_TYPE = 0x1000,
    DEVICE_NAME = 0x102b, DEVICE_VENDOR, DRIVER_VERSION, DEVICE_VERSION = 0x102f, DEVICE_EXTENSIONS, TYPE_CPU = 2,
    TYPE_GPU = 4, WRITE_ONLY = 2, READ_ONLY = 4, COPY = 32, BUILD_LOG = 0x1183, PLATFORM_NOT_FOUND = -1001,
};

static int (*clGetPlatformIDs)(uint32_t, void **, uint32_t *);
static int (*clGetPlatformInfo)(void *, uint32_t, size_t, void *, size_t *);
static int (*clGetDeviceIDs)(void *, uint64_t, uint32_t, void **, uint32_t *);
static int (*clGetDeviceInfo)(void *, uint32_t, size_t, void *, size_t *);
static void *(*clCreateContext)(const intptr_t *, uint32_t, void *const *, void *, void *, int *);
static void *(*clCreateCommandQueue)(void *, void *, uint64_t, int *);
static void *(*clCreateProgramWithSource)(void *, uint32_t, const char **, const size_t *, int *);
static int (*clBuildProgram)(void *, uint32_t, void *const *, const char *, void *, void *);
static int (*clGetProgramBuildInfo)(void *, void *, uint32_t, size_t, void *, size_t *);
static void *(*clCreateKernel)(void *, const char *, int *);
static void *(*clCreateBuffer)(void *, uint64_t, size_t, const void *, int *);
static int (*clSetKernelArg)(void *, uint32_t, size_t, const void *);
static int (*clEnqueueNDRangeKernel)(void *, void *, uint32_t, const size_t *, const size_t *, const size_t *, uint32_t,
    void *, void *);
static int (*clEnqueueReadBuffer)(void *, void *, uint32_t, size_t, size_t, void *, uint32_t, void *, void *);

/* What paint() of figure.c does for one pixel; struct setup as scene.h has it. */
static const char source[] =
    "struct setup { int edge[3][3]; float plane[6][3]; };\n"
    "float at(global const float *p, float i, float j) { return p[0] * i + p[1] * j + p[2]; }\n"
    "float4 texel(global const uchar4 *t, int i, int j) {\n"
    "	return convert_float4(t[64 * clamp(j, 0, 63) + clamp(i, 0, 63)]);\n"
    "}\n"
    "kernel void draw(global const struct setup *all, int count, global const uchar4 *tile, global uchar4 *picture) {\n"
    "	int i = get_global_id(0), j = get_global_id(1), x = 16 * i + 8, y = 16 * j + 8, seen = 0;\n"
    "	float nearest = 1;\n"
    "	for (int k = 0; k < count; k++) {\n"
    "		global const struct setup *t = all + k;\n"
    "		int in = 1;\n"
    "		for (int e = 0; e < 3; e++) in &= x * t->edge[e][0] + y * t->edge[e][1] + t->edge[e][2] >= 0;\n"
    "		float z = at(t->plane[0], i, j);\n"
    "		if (in && z < nearest) { nearest = z; seen = k; }\n"
    "	}\n"
    "	global const struct setup *t = all + seen;\n"
    "	float u = at(t->plane[4], i, j) - 0.5f, v = at(t->plane[5], i, j) - 0.5f, a = u - floor(u), b = v - floor(v);\n"
    "	int k = (int)floor(u), l = (int)floor(v);\n"
    "	float4 c = (float4)(at(t->plane[1], i, j), at(t->plane[2], i, j), at(t->plane[3], i, j), 1.0f);\n"
    "	float4 top = texel(tile, k, l) * (1 - a) + texel(tile, k + 1, l) * a;\n"
    "	float4 low = texel(tile, k, l + 1) * (1 - a) + texel(tile, k + 1, l + 1) * a;\n"
    "	picture[256 * j + i] = convert_uchar4_sat(c * (top * (1 - b) + low * b) + 0.5f);\n"
    "}\n";

static void *queue, *kernel, *result, *device;
static uint8_t picture[PICTURE];

static void need(int status, const char *what)
{
    step(what);
    if (status)
        fail("%s: error %d", what, status);
}

/* A string, which may be long. */
static const char *device_text(void *d, uint32_t what)
{
    static char text[LOG];
    memset(text, 0, sizeof text);
    return clGetDeviceInfo(d, what, sizeof text - 1, text, NULL) ? "" : text;
}

struct platform {
    void *id;
    char name[TEXT], version[TEXT];
};

/* In the order of their names: that of the files which name them is another one on another machine, or with another loader. */
static uint32_t list_platforms(struct platform *all)
{
    void *ids[PLATFORMS];
    uint32_t n = 0;
    int status = clGetPlatformIDs(PLATFORMS, ids, &n);
    step("clGetPlatformIDs");
    if (status == PLATFORM_NOT_FOUND || (!status && n == 0))
        fail("OpenCL has no platforms: no driver is there");
    need(status, "clGetPlatformIDs");
    if (n > PLATFORMS)
        n = PLATFORMS;
    for (uint32_t k = 0; k < n; k++) {
        struct platform p = {.id = ids[k]};
        uint32_t at = k;
        clGetPlatformInfo(p.id, PLATFORM_NAME, sizeof p.name - 1, p.name, NULL);
        clGetPlatformInfo(p.id, PLATFORM_VERSION, sizeof p.version - 1, p.version, NULL);
        for (; at > 0 && strcmp(all[at - 1].name, p.name) > 0; at--)
            all[at] = all[at - 1];
        all[at] = p;
    }
    return n;
}

/* A GPU or the like before a processor. */
static void choose(void)
{
    static struct platform platforms[PLATFORMS];
    void *devices[DEVICES];
    uint32_t count = list_platforms(platforms), n;
    int number = 0;
    bool software = true;
    for (uint32_t p = 0; p < count; p++) {
        add_fact("platform %s: %s", platforms[p].name, platforms[p].version);
        n = 0;
        if (clGetDeviceIDs(platforms[p].id, ~0u, DEVICES, devices, &n))
            continue;
        for (uint32_t k = 0; k < n && k < DEVICES; k++) {
            uint64_t type = 0;
            clGetDeviceInfo(devices[k], DEVICE_TYPE, sizeof type, &type, NULL);
            add_device(device_text(devices[k], DEVICE_NAME));
            if (wanted_device < 0 ? !device || (software && !(type & TYPE_CPU)) : wanted_device == number) {
                device = devices[k];
                software = type & TYPE_CPU;
            }
            number++;
        }
    }
    step("clGetDeviceIDs");
    if (wanted_device >= number && number > 0)
        no_such_device(number);
    if (!device)
        fail("OpenCL has no devices");
    drawing.software = software;
    set_text(drawing.vendor, device_text(device, DEVICE_VENDOR));
    set_text(drawing.device, device_text(device, DEVICE_NAME));
    set_text(drawing.version, device_text(device, DEVICE_VERSION));
    set_text(drawing.driver, device_text(device, DRIVER_VERSION));
    add_extensions(device_text(device, DEVICE_EXTENSIONS));
}

static void build(void *context)
{
    static char log[LOG];
    const char *text = source;
    int status;
    void *program = clCreateProgramWithSource(context, 1, &text, NULL, &status);
    need(status, "clCreateProgramWithSource");
    step("clBuildProgram");
    status = clBuildProgram(program, 1, &device, "", NULL, NULL);
    if (status) {
        clGetProgramBuildInfo(program, device, BUILD_LOG, sizeof log - 1, log, NULL);
        fail("clBuildProgram: error %d: %.400s", status, log);
    }
    kernel = clCreateKernel(program, "draw", &status);
    need(status, "clCreateKernel");
}

static void *buffer(void *context, uint64_t flags, size_t size, const void *data)
{
    int status;
    void *b = clCreateBuffer(context, flags, size, data, &status);
    need(status, "clCreateBuffer");
    return b;
}

static void draw_once(void)
{
    static const size_t all[2] = {SIDE, SIDE};
    need(clEnqueueNDRangeKernel(queue, kernel, 2, NULL, all, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
    need(clEnqueueReadBuffer(queue, result, 1, 0, PICTURE, picture, 0, NULL, NULL), "clEnqueueReadBuffer");
}

void draw_opencl(void)
{
    const struct figure *f = figure();
    int status, count = TRIANGLES;
    void *library = open_api("libOpenCL.so.1");
    step("find the functions of OpenCL");
    NEED(library, clGetPlatformIDs);
    NEED(library, clGetPlatformInfo);
    NEED(library, clGetDeviceIDs);
    NEED(library, clGetDeviceInfo);
    NEED(library, clCreateContext);
    NEED(library, clCreateCommandQueue);
    NEED(library, clCreateProgramWithSource);
    NEED(library, clBuildProgram);
    NEED(library, clGetProgramBuildInfo);
    NEED(library, clCreateKernel);
    NEED(library, clCreateBuffer);
    NEED(library, clSetKernelArg);
    NEED(library, clEnqueueNDRangeKernel);
    NEED(library, clEnqueueReadBuffer);
    choose();
    void *context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    need(status, "clCreateContext");
    queue = clCreateCommandQueue(context, device, 0, &status);
    need(status, "clCreateCommandQueue");
    build(context);
    void *triangles = buffer(context, READ_ONLY | COPY, sizeof f->triangles, f->triangles);
    void *tile = buffer(context, READ_ONLY | COPY, sizeof f->tile, f->tile);
    result = buffer(context, WRITE_ONLY, PICTURE, NULL);
    need(clSetKernelArg(kernel, 0, sizeof triangles, &triangles), "clSetKernelArg");
    need(clSetKernelArg(kernel, 1, sizeof count, &count), "clSetKernelArg");
    need(clSetKernelArg(kernel, 2, sizeof tile, &tile), "clSetKernelArg");
    need(clSetKernelArg(kernel, 3, sizeof result, &result), "clSetKernelArg");
    frames(draw_once);
    done(picture);
}
