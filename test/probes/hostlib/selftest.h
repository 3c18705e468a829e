/* Checks of the host library's own: each returns nullptr, or what is wrong. */
#pragma once

struct Selftest {
	const char *name;
	const char *(*run)();
};

extern const Selftest cxx_tests[], newer_tests[], dlopen_tests[]; /* each ends with an empty entry */

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define WANT(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			return __FILE__ ":" STRINGIFY(__LINE__) ": not " #cond;                                        \
	} while (0)
