/*
 * compilers ptx|nvvm: the driver's compilers, which need no GPU: PTX to machine code (libcuda opens this library for
 * kernels that come as PTX), and NVVM IR to PTX. They are large C++ programs, with threads, exceptions and thread-local
 * variables of their own; what they make depends on their input alone.
 */
#include "gpu.h"
#include "kernel.h"

#include <string.h>

#define SYM(h, name) name = (__typeof__(name))need_symbol(h, #name)

static void made(const char *what, const char *target, const void *code, size_t size)
{
	printf("%s for %s: %zu bytes, hash %016llx\n", what, target, size, (unsigned long long)hash_bytes(code, size));
}

/* nvPTXCompiler.h of CUDA's "PTX Compiler API" */
static int ptx(void)
{
	int (*nvPTXCompilerGetVersion)(unsigned *, unsigned *);
	int (*nvPTXCompilerCreate)(void **, size_t, const char *);
	int (*nvPTXCompilerDestroy)(void **);
	int (*nvPTXCompilerCompile)(void *, int, const char *const *);
	int (*nvPTXCompilerGetCompiledProgramSize)(void *, size_t *);
	int (*nvPTXCompilerGetCompiledProgram)(void *, void *);
	int (*nvPTXCompilerGetErrorLogSize)(void *, size_t *);
	int (*nvPTXCompilerGetErrorLog)(void *, char *);
	void *h = open_library("libnvidia-ptxjitcompiler.so.1");
	SYM(h, nvPTXCompilerGetVersion);
	SYM(h, nvPTXCompilerCreate);
	SYM(h, nvPTXCompilerDestroy);
	SYM(h, nvPTXCompilerCompile);
	SYM(h, nvPTXCompilerGetCompiledProgramSize);
	SYM(h, nvPTXCompilerGetCompiledProgram);
	SYM(h, nvPTXCompilerGetErrorLogSize);
	SYM(h, nvPTXCompilerGetErrorLog);
	static const struct {
		const char *target, *text;
	} programs[] = {
		{"--gpu-name=sm_50", ".version 6.0\n.target sm_50\n" KERNEL},
		{"--gpu-name=sm_90", ".version 8.0\n.target sm_90\n" KERNEL},
		{"--gpu-name=sm_90", ".version 8.0\n.target sm_90\nthis is no PTX\n"},
	};
	unsigned major = 0, minor = 0;
	int failed = 0, r = nvPTXCompilerGetVersion(&major, &minor);
	printf("nvPTXCompilerGetVersion: %d, %u.%u\n", r, major, minor);
	for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
		void *compiler;
		size_t size = 0;
		double t = now_ms();
		if ((r = nvPTXCompilerCreate(&compiler, strlen(programs[k].text), programs[k].text))) {
			printf("nvPTXCompilerCreate: %d\n", r);
			return 1;
		}
		r = nvPTXCompilerCompile(compiler, 1, &programs[k].target);
		print_time("PTX compiler", now_ms() - t);
		if (r) {
			failed++;
			nvPTXCompilerGetErrorLogSize(compiler, &size);
			char *log = calloc(1, size + 1);
			nvPTXCompilerGetErrorLog(compiler, log);
			printf("nvPTXCompilerCompile: %d: %s\n", r, log);
			free(log);
		} else {
			nvPTXCompilerGetCompiledProgramSize(compiler, &size);
			void *code = malloc(size);
			nvPTXCompilerGetCompiledProgram(compiler, code);
			made("machine code", programs[k].target, code, size);
			free(code);
		}
		nvPTXCompilerDestroy(&compiler);
	}
	return failed != 1;
}

static const char ir[] =
	"target datalayout = \"e-p:64:64:64-i1:8:8-i8:8:8-i16:16:16-i32:32:32-i64:64:64-i128:128:128-f32:32:32-"
	"f64:64:64-v16:16:16-v32:32:32-v64:64:64-v128:128:128-n16:32:64\"\n"
	"target triple = \"nvptx64-nvidia-cuda\"\n"
	"define void @scale(float* %data, float %by) {\n"
	"  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
	"  %at = getelementptr float, float* %data, i32 %i\n"
	"  %old = load float, float* %at\n"
	"  %new = fmul float %old, %by\n"
	"  store float %new, float* %at\n"
	"  ret void\n"
	"}\n"
	"declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
	"!nvvm.annotations = !{!0}\n"
	"!0 = !{void (float*, float)* @scale, !\"kernel\", i32 1}\n"
	"!nvvmir.version = !{!1}\n"
	"!1 = !{i32 2, i32 0}\n";

/* nvvm.h of CUDA's "libNVVM API" */
static int nvvm(void)
{
	int (*nvvmVersion)(int *, int *);
	int (*nvvmCreateProgram)(void **);
	int (*nvvmAddModuleToProgram)(void *, const char *, size_t, const char *);
	int (*nvvmCompileProgram)(void *, int, const char *const *);
	int (*nvvmGetCompiledResultSize)(void *, size_t *);
	int (*nvvmGetCompiledResult)(void *, char *);
	int (*nvvmGetProgramLogSize)(void *, size_t *);
	int (*nvvmGetProgramLog)(void *, char *);
	int (*nvvmDestroyProgram)(void **);
	void *h = open_library("libnvidia-nvvm.so.4"), *program;
	SYM(h, nvvmVersion);
	SYM(h, nvvmCreateProgram);
	SYM(h, nvvmAddModuleToProgram);
	SYM(h, nvvmCompileProgram);
	SYM(h, nvvmGetCompiledResultSize);
	SYM(h, nvvmGetCompiledResult);
	SYM(h, nvvmGetProgramLogSize);
	SYM(h, nvvmGetProgramLog);
	SYM(h, nvvmDestroyProgram);
	static const char *const options[] = {"-arch=compute_75", "-opt=3"};
	int major = 0, minor = 0, r = nvvmVersion(&major, &minor);
	size_t size = 0;
	printf("nvvmVersion: %d, %d.%d\n", r, major, minor);
	double t = now_ms();
	r = nvvmCreateProgram(&program);
	printf("nvvmCreateProgram: %d\n", r);
	r = nvvmAddModuleToProgram(program, ir, sizeof ir - 1, "scale");
	printf("nvvmAddModuleToProgram: %d\n", r);
	r = nvvmCompileProgram(program, 2, options);
	print_time("NVVM compiler", now_ms() - t);
	printf("nvvmCompileProgram: %d\n", r);
	if (r)
		nvvmGetProgramLogSize(program, &size);
	else
		nvvmGetCompiledResultSize(program, &size);
	char *text = calloc(1, size + 1);
	if (r)
		nvvmGetProgramLog(program, text);
	else
		nvvmGetCompiledResult(program, text);
	puts(text);
	free(text);
	nvvmDestroyProgram(&program);
	return r;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "ptx"))
		return ptx();
	if (argc == 2 && !strcmp(argv[1], "nvvm"))
		return nvvm();
	fprintf(stderr, "usage: compilers ptx|nvvm\n");
	return 2;
}
