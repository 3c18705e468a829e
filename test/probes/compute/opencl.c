/*
 * Computes with each device of the OpenCL platform whose name begins with the first argument, and prints results as bits:
 * whoever runs the same driver on the same processor must print the same text. The kernels use what a driver gets from
 * different places: plain arithmetic (its code generator), built-in functions (its bitcode library), local memory and
 * barriers (its work-group passes), printf (the process's standard output). A kernel that does not compile shows that the
 * compiler's messages arrive, and a callback that the driver's threads can call the program.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4096, GROUP = 64 };

static const char source[] =
	"kernel void saxpy(float a, global const float *x, global float *y) {\n"
	"	size_t i = get_global_id(0);\n"
	"	y[i] = a * x[i] + y[i];\n"
	"}\n"
	"kernel void hash(global uint *v, uint rounds) {\n"
	"	size_t i = get_global_id(0);\n"
	"	uint h = 2166136261u ^ v[i];\n"
	"	for (uint r = 0; r < rounds; r++) {\n"
	"		h = (h ^ rotate(v[i], r)) * 16777619u;\n"
	"		h ^= mul_hi(h, 0x9e3779b9u) + popcount(h);\n"
	"	}\n"
	"	v[i] = h;\n"
	"}\n"
	"kernel void builtins(global const float *x, global float *y) {\n"
	"	size_t i = get_global_id(0);\n"
	"	float4 v = (float4)(x[i], exp(x[i]), sin(x[i]), log(1 + fabs(x[i])));\n"
	"	y[i] = dot(v, v) + pow(fabs(x[i]), 1.5f) + length(v.xy) + convert_float(as_int(x[i]) & 7);\n"
	"}\n"
	"kernel void sums(global const uint *v, global uint *out, local uint *l) {\n"
	"	size_t i = get_local_id(0);\n"
	"	l[i] = v[get_global_id(0)];\n"
	"	for (size_t n = get_local_size(0) / 2; n > 0; n /= 2) {\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"		if (i < n) l[i] += l[i + n];\n"
	"	}\n"
	"	if (i == 0) out[get_group_id(0)] = l[0];\n"
	"}\n"
	"kernel void speak(int n) { printf(\"the kernel says %d and %s\\n\", n, \"a string\"); }\n";

static void check(cl_int status, const char *what)
{
	if (status != CL_SUCCESS) {
		printf("%s: error %d\n", what, status);
		exit(1);
	}
}

static uint32_t bits_of(const void *data, size_t words)
{
	uint32_t h = 2166136261u, w;
	for (size_t i = 0; i < words; i++) {
		memcpy(&w, (const char *)data + 4 * i, 4);
		h = (h ^ w) * 16777619u;
	}
	return h;
}

static void show(const char *name, const void *data, size_t words)
{
	uint32_t first, last;
	memcpy(&first, data, 4);
	memcpy(&last, (const char *)data + 4 * (words - 1), 4);
	printf("  %s: %08x … %08x, all %08x\n", name, first, last, bits_of(data, words));
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int calls;

static void CL_CALLBACK called(cl_event event, cl_int status, void *data)
{
	(void)event;
	pthread_mutex_lock(&lock);
	calls += status == CL_COMPLETE ? *(int *)data : 1000;
	pthread_cond_signal(&arrived);
	pthread_mutex_unlock(&lock);
}

static cl_program build(cl_context context, cl_device_id device, const char *text, cl_int *status)
{
	cl_program p = clCreateProgramWithSource(context, 1, &text, NULL, status);
	check(*status, "clCreateProgramWithSource");
	*status = clBuildProgram(p, 1, &device, "-cl-std=CL1.2", NULL, NULL);
	return p;
}

static void print_log(cl_program p, cl_device_id device)
{
	static char log[65536];
	clGetProgramBuildInfo(p, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
	printf("  log: %s\n", log);
}

static cl_kernel kernel(cl_program p, const char *name)
{
	cl_int status;
	cl_kernel k = clCreateKernel(p, name, &status);
	check(status, name);
	return k;
}

static void run(cl_command_queue queue, cl_kernel k, size_t items, size_t group)
{
	static int one = 1;
	cl_event done;
	check(clEnqueueNDRangeKernel(queue, k, 1, NULL, &items, &group, 0, NULL, &done), "clEnqueueNDRangeKernel");
	check(clSetEventCallback(done, CL_COMPLETE, called, &one), "clSetEventCallback");
	check(clFinish(queue), "clFinish");
	clReleaseEvent(done);
	clReleaseKernel(k);
}

static void read_back(cl_command_queue queue, cl_mem buffer, void *to, size_t size)
{
	check(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, size, to, 0, NULL, NULL), "clEnqueueReadBuffer");
}

static void compute(cl_device_id device)
{
	static float x[N], y[N];
	static uint32_t v[N], sums[N / GROUP];
	for (int i = 0; i < N; i++) {
		x[i] = (float)(i - N / 2) / 97;
		y[i] = (float)i / 3;
		v[i] = (uint32_t)i * 2654435761u;
	}
	cl_int status;
	cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
	check(status, "clCreateContext");
	cl_command_queue queue = clCreateCommandQueue(context, device, 0, &status);
	check(status, "clCreateCommandQueue");

	cl_program broken = build(context, device, "kernel void f(global int *p) { p[0] = nowhere; }", &status);
	printf("  a program with a mistake: %d\n", status);
	print_log(broken, device);
	clReleaseProgram(broken);
	cl_program program = build(context, device, source, &status);
	if (status != CL_SUCCESS)
		print_log(program, device);
	check(status, "clBuildProgram");

	cl_mem bx = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof x, x, &status);
	check(status, "clCreateBuffer");
	cl_mem by = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof y, y, &status);
	check(status, "clCreateBuffer");
	cl_mem bv = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof v, v, &status);
	check(status, "clCreateBuffer");
	cl_mem bs = clCreateBuffer(context, CL_MEM_WRITE_ONLY, sizeof sums, NULL, &status);
	check(status, "clCreateBuffer");

	cl_float a = 2.5f;
	cl_kernel k = kernel(program, "saxpy");
	clSetKernelArg(k, 0, sizeof a, &a);
	clSetKernelArg(k, 1, sizeof bx, &bx);
	clSetKernelArg(k, 2, sizeof by, &by);
	run(queue, k, N, GROUP);
	read_back(queue, by, y, sizeof y);
	show("saxpy", y, N);

	cl_uint rounds = 1000;
	k = kernel(program, "hash");
	clSetKernelArg(k, 0, sizeof bv, &bv);
	clSetKernelArg(k, 1, sizeof rounds, &rounds);
	run(queue, k, N, GROUP);
	read_back(queue, bv, v, sizeof v);
	show("hash", v, N);

	k = kernel(program, "builtins");
	clSetKernelArg(k, 0, sizeof bx, &bx);
	clSetKernelArg(k, 1, sizeof by, &by);
	run(queue, k, N, GROUP);
	read_back(queue, by, y, sizeof y);
	show("builtins", y, N);

	k = kernel(program, "sums");
	clSetKernelArg(k, 0, sizeof bv, &bv);
	clSetKernelArg(k, 1, sizeof bs, &bs);
	clSetKernelArg(k, 2, GROUP * sizeof(cl_uint), NULL);
	run(queue, k, N, GROUP);
	read_back(queue, bs, sums, sizeof sums);
	show("sums", sums, N / GROUP);

	cl_int n = 42;
	k = kernel(program, "speak");
	clSetKernelArg(k, 0, sizeof n, &n);
	fflush(stdout); /* the driver may write to the descriptor */
	run(queue, k, 1, 1);

	pthread_mutex_lock(&lock);
	while (calls < 5)
		pthread_cond_wait(&arrived, &lock);
	printf("  callbacks: %d\n", calls);
	calls = 0;
	pthread_mutex_unlock(&lock);

	clReleaseMemObject(bx);
	clReleaseMemObject(by);
	clReleaseMemObject(bv);
	clReleaseMemObject(bs);
	clReleaseProgram(program);
	clReleaseCommandQueue(queue);
	clReleaseContext(context);
}

int main(int argc, char **argv)
{
	cl_platform_id platforms[16];
	cl_uint count = 0, found = 0;
	check(clGetPlatformIDs(16, platforms, &count), "clGetPlatformIDs");
	for (cl_uint i = 0; i < count; i++) {
		char name[256] = "", version[256] = "";
		clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL);
		clGetPlatformInfo(platforms[i], CL_PLATFORM_VERSION, sizeof version, version, NULL);
		if (argc > 1 && strncmp(name, argv[1], strlen(argv[1])))
			continue;
		printf("%s: %s\n", name, version);
		cl_device_id devices[16];
		cl_uint n = 0;
		if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 16, devices, &n) != CL_SUCCESS)
			continue;
		for (cl_uint d = 0; d < n; d++, found++) {
			clGetDeviceInfo(devices[d], CL_DEVICE_NAME, sizeof name, name, NULL);
			printf(" %s\n", name);
			fflush(stdout); /* a driver may print with stdio of its own */
			compute(devices[d]);
		}
	}
	printf("devices: %u\n", found);
	return found ? 0 : 1;
}
