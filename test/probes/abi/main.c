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
