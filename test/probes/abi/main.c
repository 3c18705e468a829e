#include "abi.h"

#include <stdio.h>

static int failures;

#define WANT(got, want)                                                                                                \
	do {                                                                                                           \
		if ((got) != (want)) {                                                                                 \
			printf("FAIL %s\n", #got);                                                                     \
			failures++;                                                                                    \
		}                                                                                                      \
	} while (0)

#ifdef __aarch64__
/* Eight arguments, and as many others that stay in registers. */
static void vectors(double n)
{
	pair p[8];
	for (int i = 0; i < 8; i++)
		p[i] = (pair){n + i, -n * i};
	pair sum = abi_vector(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]);
	for (int i = 0; i < 8; i++)
		sum -= (i + 1) * p[i];
	WANT(sum[0], 0);
	WANT(sum[1], 0);
}
#else
static void vectors(double n) { (void)n; }
#endif

int main(int argc, char **argv)
{
	/* more than once, and with enough live values that the registers a callee keeps are in use */
	int kept[6] = {argc, argc + 1, argc + 2, argc + 3, argc + 4, argc + 5};
	for (int i = 0; i < 3; i++) {
		WANT(abi_plain(1, 2, 3, 4, 5, 6, 7), 7654321);
		WANT(abi_floating(1, 2, 3), 321);
		WANT(abi_wide(1, 2, 3LL << 40), 21 + 100 * (3LL << 40));
		WANT(abi_structure((struct large){{1, 2, 3, 4, 5, 6, 7}}, 3).a[6], 21);
		WANT(abi_variadic(5, 1, 2, 3, 4, 5), 12345);
		WANT(abi_register_1(1, 2, 3, 4), 4321);
		WANT(abi_register_2(1, 2, 3, 4), 4321);
		WANT(abi_register_3(1, 2, 3, 4), 4321);
		WANT(abi_fastcall(1, 2, 3, 4), 4321);
		WANT(abi_thiscall(1, 2, 3, 4), 4321);
		WANT(abi_stdcall(1, 2, 3, 4), 4321);
		vectors(i);
		for (int j = 0; j < 6; j++)
			WANT(kept[j]++, argc + j + i);
	}
	const char *wrong = abi_time64(argc > 1 ? argv[1] : "/tmp");
	if (wrong) {
		printf("FAIL %s\n", wrong);
		failures++;
	}
	printf("%d failures\n", failures);
	return failures != 0;
}
