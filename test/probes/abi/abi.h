/*
 * What crosses a stub besides plain integers: every calling convention that a compiler for the architecture has, and, on
 * 32-bit ports, functions of glibc with 64-bit time. The program is bound before the stub is filled (-z now), so that
 * each call goes through a trampoline.
 */
#ifndef ABI_H
#define ABI_H

#ifdef __i386__
#define CONVENTION(name) __attribute__((name))
#define REGISTERS(n) __attribute__((regparm(n)))
#else
#define CONVENTION(name)
#define REGISTERS(n)
#endif

struct large {
	int a[7];
};

int abi_plain(int a, int b, int c, int d, int e, int f, int g);
double abi_floating(double a, float b, long double c);
long long abi_wide(long long a, char b, long long c);
struct large abi_structure(struct large x, int by);
int abi_variadic(int count, ...);
REGISTERS(1) int abi_register_1(int a, int b, int c, int d);
REGISTERS(2) int abi_register_2(int a, int b, int c, int d);
REGISTERS(3) int abi_register_3(int a, int b, int c, int d);
CONVENTION(fastcall) int abi_fastcall(int a, int b, int c, int d);
CONVENTION(thiscall) int abi_thiscall(int a, int b, int c, int d);
CONVENTION(stdcall) int abi_stdcall(int a, int b, int c, int d);

#ifdef __aarch64__
/* The vector convention, in which a callee keeps all of v8 to v23; the symbol is marked STO_AARCH64_VARIANT_PCS. */
typedef double pair __attribute__((vector_size(16)));
__attribute__((aarch64_vector_pcs)) pair abi_vector(pair a, pair b, pair c, pair d, pair e, pair f, pair g, pair h);
#endif

/* NULL, or what is wrong */
const char *abi_time64(const char *directory);

#endif
