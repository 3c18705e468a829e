/* Every digit of a result is an argument: one that is lost or in the wrong place shows. */
#include "abi.h"

#include <stdarg.h>

int abi_plain(int a, int b, int c, int d, int e, int f, int g)
{
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f + 1000000 * g;
}

double abi_floating(double a, float b, long double c) { return a + 10 * (double)b + 100 * (double)c; }

long long abi_wide(long long a, char b, long long c) { return a + 10 * b + 100 * c; }

struct large abi_structure(struct large x, int by)
{
	for (int i = 0; i < 7; i++)
		x.a[i] *= by;
	return x;
}

int abi_variadic(int count, ...)
{
	int sum = 0;
	va_list ap;
	va_start(ap, count);
	for (int i = 0; i < count; i++)
		sum = 10 * sum + va_arg(ap, int);
	va_end(ap);
	return sum;
}

#define FOUR { return a + 10 * b + 100 * c + 1000 * d; }
REGISTERS(1) int abi_register_1(int a, int b, int c, int d) FOUR
REGISTERS(2) int abi_register_2(int a, int b, int c, int d) FOUR
REGISTERS(3) int abi_register_3(int a, int b, int c, int d) FOUR
CONVENTION(fastcall) int abi_fastcall(int a, int b, int c, int d) FOUR
CONVENTION(thiscall) int abi_thiscall(int a, int b, int c, int d) FOUR
CONVENTION(stdcall) int abi_stdcall(int a, int b, int c, int d) FOUR

#ifdef __aarch64__
__attribute__((aarch64_vector_pcs)) pair abi_vector(pair a, pair b, pair c, pair d, pair e, pair f, pair g, pair h)
{
	return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}
#endif
