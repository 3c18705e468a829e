/*
 * Builds a kernel of SPIR-V for each device of the OpenCL platform whose name begins with the first argument, runs it, and
 * prints what it wrote. pocl has a program translate such a kernel. SPIR-V specification 1.0, section 3 has the numbers.
 */
#define CL_TARGET_OPENCL_VERSION 210
#include <CL/cl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OP(words, code) ((words) << 16 | (code))

enum { MAIN = 1, VOID, UINT, VALUE, POINTER, FUNCTION, PARAMETER, LABEL, BOUND };

/* kernel void k(global uint *p) { *p = 0x2a2a; } */
static const uint32_t kernel[] = {
	0x07230203, 0x00010000, 0, BOUND, 0,
	OP(2, 17), 4, OP(2, 17), 6,              /* OpCapability Addresses, Kernel */
	OP(3, 14), 2, 2,                         /* OpMemoryModel Physical64 OpenCL */
	OP(4, 15), 6, MAIN, 'k',                 /* OpEntryPoint Kernel "k" */
	OP(2, 19), VOID,                         /* OpTypeVoid */
	OP(4, 21), UINT, 32, 0,                  /* OpTypeInt */
	OP(4, 43), UINT, VALUE, 0x2a2a,          /* OpConstant */
	OP(4, 32), POINTER, 5, UINT,             /* OpTypePointer CrossWorkgroup */
	OP(4, 33), FUNCTION, VOID, POINTER,      /* OpTypeFunction */
	OP(5, 54), VOID, MAIN, 0, FUNCTION,      /* OpFunction */
	OP(3, 55), POINTER, PARAMETER,           /* OpFunctionParameter */
	OP(2, 248), LABEL,
	OP(5, 62), PARAMETER, VALUE, 2, 4,       /* OpStore Aligned 4 */
	OP(1, 253), OP(1, 56),                   /* OpReturn, OpFunctionEnd */
};

static void check(cl_int status, const char *what)
{
	if (status != CL_SUCCESS) {
		printf("%s: error %d\n", what, status);
		exit(1);
	}
}

static void compute(cl_device_id device)
{
	cl_int status;
	cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
	check(status, "clCreateContext");
	cl_program program = clCreateProgramWithIL(context, kernel, sizeof kernel, &status);
	check(status, "clCreateProgramWithIL");
	check(clBuildProgram(program, 1, &device, "", NULL, NULL), "clBuildProgram");
	cl_kernel k = clCreateKernel(program, "k", &status);
	check(status, "clCreateKernel");
	uint32_t out = 1;
	cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof out, &out, &status);
	check(status, "clCreateBuffer");
	check(clSetKernelArg(k, 0, sizeof buffer, &buffer), "clSetKernelArg");
	cl_command_queue queue = clCreateCommandQueueWithProperties(context, device, NULL, &status);
	check(status, "clCreateCommandQueueWithProperties");
	size_t one = 1;
	check(clEnqueueNDRangeKernel(queue, k, 1, NULL, &one, &one, 0, NULL, NULL), "clEnqueueNDRangeKernel");
	check(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof out, &out, 0, NULL, NULL), "clEnqueueReadBuffer");
	printf("the kernel wrote %x\n", out);
}

int main(int argc, char **argv)
{
	cl_platform_id platforms[16];
	cl_uint n = 0, used = 0;
	check(clGetPlatformIDs(16, platforms, &n), "clGetPlatformIDs");
	for (cl_uint i = 0; i < n; i++) {
		char name[256] = "";
		cl_device_id devices[8];
		cl_uint count = 0;
		check(clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL), "clGetPlatformInfo");
		if (argc > 1 && strncmp(name, argv[1], strlen(argv[1])))
			continue;
		check(clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 8, devices, &count), "clGetDeviceIDs");
		for (cl_uint d = 0; d < count; d++, used++)
			compute(devices[d]);
	}
	return used == 0;
}
