/*
 * cuda: the driver API without its headers: initialisation, the devices, and a kernel in PTX on the first of them, checked
 * against the same arithmetic here. The driver's compiler for PTX is a library that libcuda opens when it is needed.
 */
#include "gpu.h"
#include "kernel.h"

#include <math.h>
#include <string.h>

typedef int result; /* CUresult */
typedef uint64_t devptr;

static result (*cuInit)(unsigned);
static result (*cuDriverGetVersion)(int *);
static result (*cuDeviceGetCount)(int *);
static result (*cuDeviceGet)(int *, int);
static result (*cuDeviceGetName)(char *, int, int);
static result (*cuDeviceTotalMem)(size_t *, int);
static result (*cuDeviceGetAttribute)(int *, int, int);
static result (*cuDevicePrimaryCtxRetain)(void **, int);
static result (*cuDevicePrimaryCtxRelease)(int);
static result (*cuCtxSetCurrent)(void *);
static result (*cuCtxSynchronize)(void);
static result (*cuModuleLoadDataEx)(void **, const void *, unsigned, int *, void **);
static result (*cuModuleGetFunction)(void **, void *, const char *);
static result (*cuMemAlloc)(devptr *, size_t);
static result (*cuMemFree)(devptr);
static result (*cuMemcpyHtoD)(devptr, const void *, size_t);
static result (*cuMemcpyDtoH)(void *, devptr, size_t);
static result (*cuLaunchKernel)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
				void **, void **);
static result (*cuLaunchHostFunc)(void *, void (*)(void *), void *);
static result (*cuGetProcAddress)(const char *, void **, int, uint64_t);
static result (*cuGetErrorName)(result, const char **);
static result (*cuGetErrorString)(result, const char **);

static const struct {
	void *slot;
	const char *name;
} functions[] = {
	{&cuInit, "cuInit"}, {&cuDriverGetVersion, "cuDriverGetVersion"}, {&cuDeviceGetCount, "cuDeviceGetCount"},
	{&cuDeviceGet, "cuDeviceGet"}, {&cuDeviceGetName, "cuDeviceGetName"}, {&cuDeviceTotalMem, "cuDeviceTotalMem_v2"},
	{&cuDeviceGetAttribute, "cuDeviceGetAttribute"}, {&cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain"},
	{&cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2"}, {&cuCtxSetCurrent, "cuCtxSetCurrent"},
	{&cuCtxSynchronize, "cuCtxSynchronize"}, {&cuModuleLoadDataEx, "cuModuleLoadDataEx"},
	{&cuModuleGetFunction, "cuModuleGetFunction"}, {&cuMemAlloc, "cuMemAlloc_v2"}, {&cuMemFree, "cuMemFree_v2"},
	{&cuMemcpyHtoD, "cuMemcpyHtoD_v2"}, {&cuMemcpyDtoH, "cuMemcpyDtoH_v2"}, {&cuLaunchKernel, "cuLaunchKernel"},
	{&cuLaunchHostFunc, "cuLaunchHostFunc"}, {&cuGetProcAddress, "cuGetProcAddress"},
	{&cuGetErrorName, "cuGetErrorName"}, {&cuGetErrorString, "cuGetErrorString"},
};

enum { COUNT = 1 << 18, ROUNDS = 1000, LAUNCHES = 200 };

/* Drivers drop the oldest targets in time, and know none of those that came after them. */
static const char *const programs[] = {
	".version 6.0\n.target sm_50\n" KERNEL,
	".version 7.0\n.target sm_75\n" KERNEL,
	".version 8.6\n.target sm_90\n" KERNEL,
};

struct pair {
	uint32_t i;
	float f;
};

static struct pair data[COUNT];

static void show(const char *call, result r)
{
	const char *name = "?", *text = "?";
	cuGetErrorName(r, &name);
	cuGetErrorString(r, &text);
	printf("%s: %d %s: %s\n", call, r, name, text);
}

static void need(const char *call, result r)
{
	if (r) {
		show(call, r);
		exit(1);
	}
}

static void *load(void)
{
	enum { LOG = 5, LOG_BYTES = 6 }; /* CU_JIT_ERROR_LOG_BUFFER, its size */
	static char log[8192];
	int options[] = {LOG, LOG_BYTES};
	void *values[] = {log, (void *)(uintptr_t)sizeof log}, *module;
	for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
		result r = cuModuleLoadDataEx(&module, programs[k], 2, options, values);
		if (r == 0)
			return module;
		show("cuModuleLoadDataEx", r);
		puts(log);
	}
	exit(1);
}

static void called(void *at) { *(int *)at = 1; } /* by a thread of the driver */

static void compute(int device)
{
	void *context, *function;
	devptr there;
	unsigned count = COUNT, rounds = ROUNDS;
	double t = now_ms();
	need("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(&context, device));
	need("cuCtxSetCurrent", cuCtxSetCurrent(context));
	print_time("context", now_ms() - t);
	t = now_ms();
	need("cuModuleGetFunction", cuModuleGetFunction(&function, load(), "mix"));
	print_time("module", now_ms() - t);
	for (uint32_t k = 0; k < COUNT; k++)
		data[k] = (struct pair){k, (float)k};
	need("cuMemAlloc", cuMemAlloc(&there, sizeof data));
	t = now_ms();
	need("cuMemcpyHtoD", cuMemcpyHtoD(there, data, sizeof data));
	void *arguments[] = {&there, &count, &rounds};
	need("cuLaunchKernel", cuLaunchKernel(function, COUNT / 256, 1, 1, 256, 1, 1, 0, NULL, arguments, NULL));
	need("cuMemcpyDtoH", cuMemcpyDtoH(data, there, sizeof data));
	print_time("kernel with copies", now_ms() - t);
	for (uint32_t k = 0; k < COUNT; k++) {
		struct pair want = {k, (float)k};
		for (int round = 0; round < ROUNDS; round++) {
			want.i = want.i * 1664525u + 1013904223u;
			want.f = fmaf(want.f, 0.75f, 1.0f / 3);
		}
		if (want.i != data[k].i || want.f != data[k].f) {
			printf("element %u is %u, %a instead of %u, %a\n", k, data[k].i, data[k].f, want.i, want.f);
			exit(1);
		}
	}
	printf("computed: %d elements, hash %016llx\n", COUNT, (unsigned long long)hash_bytes(data, sizeof data));

	rounds = 0; /* what calls cost */
	t = now_ms();
	for (int k = 0; k < LAUNCHES; k++) {
		need("cuLaunchKernel", cuLaunchKernel(function, 1, 1, 1, 256, 1, 1, 0, NULL, arguments, NULL));
		need("cuCtxSynchronize", cuCtxSynchronize());
	}
	print_time("launch and wait", (now_ms() - t) / LAUNCHES);
	int yes = 0;
	need("cuLaunchHostFunc", cuLaunchHostFunc(NULL, called, &yes));
	need("cuCtxSynchronize", cuCtxSynchronize());
	printf("called back: %d\n", yes);
	need("cuMemFree", cuMemFree(there));
	need("cuDevicePrimaryCtxRelease", cuDevicePrimaryCtxRelease(device));
}

int main(void)
{
	double t = now_ms();
	void *h = open_library("libcuda.so.1");
	for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
		void *p = need_symbol(h, functions[k].name);
		memcpy(functions[k].slot, &p, sizeof p);
	}
	print_time("open", now_ms() - t);
	int version = 0, n = 0, device, major = 0, minor = 0;
	t = now_ms();
	result r = cuInit(0);
	print_time("cuInit", now_ms() - t);
	show("cuInit", r);
	show("cuDriverGetVersion", cuDriverGetVersion(&version));
	printf("supports CUDA %d.%d\n", version / 1000, version % 1000 / 10);
	show("cuDeviceGetCount", cuDeviceGetCount(&n));
	void *by_version = NULL; /* how CUDA's run-time library finds all functions */
	show("cuGetProcAddress", cuGetProcAddress("cuMemAlloc", &by_version, 11030, 0));
	printf("cuMemAlloc of CUDA 11.3: %s\n", by_version ? "there" : "not there");
	printf("%d devices\n", n);
	if (r || n == 0)
		return NOTHING;
	for (int k = 0; k < n; k++) {
		char name[256];
		size_t bytes;
		need("cuDeviceGet", cuDeviceGet(&device, k));
		need("cuDeviceGetName", cuDeviceGetName(name, sizeof name, device));
		need("cuDeviceTotalMem", cuDeviceTotalMem(&bytes, device));
		need("cuDeviceGetAttribute", cuDeviceGetAttribute(&major, 75, device)); /* compute capability */
		need("cuDeviceGetAttribute", cuDeviceGetAttribute(&minor, 76, device));
		printf("device %d: %s, %zu MiB, compute capability %d.%d\n", k, name, bytes >> 20, major, minor);
	}
	need("cuDeviceGet", cuDeviceGet(&device, 0));
	compute(device);
	return 0;
}
