/* The scene by CUDA's driver API, with a kernel in PTX that the driver compiles; and what NVML says. Types and numbers:
 * NVIDIA's "CUDA Driver API" and "NVML API Reference". */
#include "ptx.h"
#include "scene.h"

#include <stdio.h>
#include <string.h>

enum { LOG = 5, LOG_BYTES = 6, DEVICES = 64, BLOCK = 16, CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

/* CUdeviceptr is as wide as a pointer: */
#if UINTPTR_MAX < UINT64_MAX
#define ADDRESS uint32_t
#else
#define ADDRESS uint64_t
#endif

static int (*cuInit)(unsigned);
static int (*cuDriverGetVersion)(int *);
static int (*cuDeviceGetCount)(int *);
static int (*cuDeviceGet)(int *, int);
static int (*cuDeviceGetName)(char *, int, int);
static int (*cuDeviceGetAttribute)(int *, int, int);
static int (*cuDevicePrimaryCtxRetain)(void **, int);
static int (*cuCtxSetCurrent)(void *);
static int (*cuModuleLoadDataEx)(void **, const void *, unsigned, int *, void **);
static int (*cuModuleGetFunction)(void **, void *, const char *);
static int (*cuMemAlloc_v2)(ADDRESS *, size_t);
static int (*cuMemcpyHtoD_v2)(ADDRESS, const void *, size_t);
static int (*cuMemcpyDtoH_v2)(void *, ADDRESS, size_t);
static int (*cuLaunchKernel)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
    void **);
static int (*cuGetErrorName)(int, const char **);
static int (*cuGetErrorString)(int, const char **);

static void *kernel;
static ADDRESS triangles, tile, result;
static uint8_t picture[PICTURE];
static int chosen;

static void need(int r, const char *what)
{
    const char *name = "error", *text = "";
    step(what);
    if (r == 0)
        return;
    if (cuGetErrorName(r, &name) || cuGetErrorString(r, &text))
        fail("%s: error %d", what, r);
    fail("%s: %s: %s", what, name, text);
}

/* NVML needs no device of CUDA's; a driver without it is no mistake. */
static void ask_nvml(void)
{
    void *library = try_library("libnvidia-ml.so.1");
    if (!library)
        return;
    int (*nvmlInit_v2)(void), (*nvmlSystemGetDriverVersion)(char *, unsigned), (*nvmlDeviceGetCount_v2)(unsigned *);
    int (*nvmlDeviceGetHandleByIndex_v2)(unsigned, void **), (*nvmlDeviceGetName)(void *, char *, unsigned);
    int (*nvmlDeviceGetMemoryInfo)(void *, unsigned long long *);
    const char *(*nvmlErrorString)(int);
    if (!FIND(library, nvmlInit_v2) || !FIND(library, nvmlSystemGetDriverVersion) ||
        !FIND(library, nvmlDeviceGetCount_v2) || !FIND(library, nvmlDeviceGetHandleByIndex_v2) ||
        !FIND(library, nvmlDeviceGetName) || !FIND(library, nvmlDeviceGetMemoryInfo) || !FIND(library, nvmlErrorString))
        return;
    int r = nvmlInit_v2();
    if (r) {
        add_fact("NVML: %s", nvmlErrorString(r));
        return;
    }
    char text[128] = "";
    unsigned n = 0;
    if (nvmlSystemGetDriverVersion(text, sizeof text - 1) == 0)
        set_text(drawing.driver, text);
    nvmlDeviceGetCount_v2(&n);
    for (unsigned k = 0; k < n && k < DEVICES; k++) {
        void *device;
        unsigned long long memory[3] = {0}; /* total, free, used */
        char name[128] = "";
        if (nvmlDeviceGetHandleByIndex_v2(k, &device) || nvmlDeviceGetName(device, name, sizeof name - 1))
            continue;
        nvmlDeviceGetMemoryInfo(device, memory);
        add_fact("NVML: %s, %u MiB", name, (unsigned)(memory[0] >> 20));
    }
}

/* Drivers drop the oldest targets in time, and know none of those that came after them. */
static void *load(void)
{
    static const char *const programs[] = {".version 6.0\n.target sm_50\n" SCENE_PTX,
                           ".version 7.0\n.target sm_75\n" SCENE_PTX,
                           ".version 8.6\n.target sm_90\n" SCENE_PTX};
    static char log[TEXT];
    int options[] = {LOG, LOG_BYTES}, r = 1;
    void *values[] = {log, (void *)(uintptr_t)(sizeof log - 1)}, *module;
    for (size_t k = 0; k < sizeof programs / sizeof *programs; k++)
        if ((r = cuModuleLoadDataEx(&module, programs[k], 2, options, values)) == 0)
            return module;
    if (*log)
        add_fact("compiler: %s", log);
    need(r, "cuModuleLoadDataEx");
    return NULL;
}

static ADDRESS upload(const void *data, size_t size)
{
    ADDRESS at;
    need(cuMemAlloc_v2(&at, size), "cuMemAlloc");
    if (data)
        need(cuMemcpyHtoD_v2(at, data, size), "cuMemcpyHtoD");
    return at;
}

static void draw_once(void)
{
    int count = TRIANGLES;
    void *arguments[] = {&triangles, &count, &tile, &result};
    need(cuLaunchKernel(kernel, SIDE / BLOCK, SIDE / BLOCK, 1, BLOCK, BLOCK, 1, 0, NULL, arguments, NULL),
        "cuLaunchKernel");
    need(cuMemcpyDtoH_v2(picture, result, PICTURE), "cuMemcpyDtoH"); /* waits for the kernel */
}

static void describe(void)
{
    int version = 0, n = 0, device, major = 0, minor = 0;
    if (cuDriverGetVersion(&version) == 0)
        snprintf(drawing.version, TEXT, "%d.%d", version / 1000, version % 1000 / 10);
    need(cuInit(0), "cuInit");
    need(cuDeviceGetCount(&n), "cuDeviceGetCount");
    if (n == 0)
        fail("CUDA has no devices");
    for (int k = 0; k < n && k < DEVICES; k++) {
        char name[256] = "";
        need(cuDeviceGet(&device, k), "cuDeviceGet");
        need(cuDeviceGetName(name, sizeof name - 1, device), "cuDeviceGetName");
        cuDeviceGetAttribute(&major, CAPABILITY_MAJOR, device);
        cuDeviceGetAttribute(&minor, CAPABILITY_MINOR, device);
        add_device(name);
        add_fact("%s: compute capability %d.%d", name, major, minor);
        if (k == chosen)
            set_text(drawing.device, name);
    }
    if (chosen >= n)
        no_such_device(n);
}

void draw_cuda(void)
{
    const struct figure *f = figure();
    int device;
    void *context, *library = open_api("libcuda.so.1");
    step("find the functions of CUDA");
    NEED(library, cuInit);
    NEED(library, cuDriverGetVersion);
    NEED(library, cuDeviceGetCount);
    NEED(library, cuDeviceGet);
    NEED(library, cuDeviceGetName);
    NEED(library, cuDeviceGetAttribute);
    NEED(library, cuDevicePrimaryCtxRetain);
    NEED(library, cuCtxSetCurrent);
    NEED(library, cuModuleLoadDataEx);
    NEED(library, cuModuleGetFunction);
    NEED(library, cuMemAlloc_v2);
    NEED(library, cuMemcpyHtoD_v2);
    NEED(library, cuMemcpyDtoH_v2);
    NEED(library, cuLaunchKernel);
    NEED(library, cuGetErrorName);
    NEED(library, cuGetErrorString);
    set_text(drawing.vendor, "NVIDIA");
    chosen = wanted_device < 0 ? 0 : wanted_device;
    ask_nvml();
    describe();
    need(cuDeviceGet(&device, chosen), "cuDeviceGet");
    need(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    need(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    need(cuModuleGetFunction(&kernel, load(), "draw"), "cuModuleGetFunction");
    triangles = upload(f->triangles, sizeof f->triangles);
    tile = upload(f->tile, sizeof f->tile);
    result = upload(NULL, PICTURE);
    frames(draw_once);
    done(picture);
}
