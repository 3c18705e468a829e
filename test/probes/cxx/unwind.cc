/* A C++ game with frames of the host's C++ between its own: exceptions, backtrace. Prints "ok NAME" or "FAIL NAME". */
extern "C" {
#include "capsuletest.h"
}

#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdexcept>
#include <string>

static int failed;

static void result(const char *name, bool ok)
{
	printf("%s %s\n", ok ? "ok" : "FAIL", name);
	failed |= !ok;
}

struct Counted {
	static int alive;
	Counted() { alive++; }
	~Counted() { alive--; }
};
int Counted::alive;

static void throws_int(void *)
{
	Counted c;
	throw 42;
}

static void throws_string(void *)
{
	Counted c;
	throw std::runtime_error("thrown " + std::string("by the game"));
}

static void catches_inside(void *)
{
	try {
		ct_call_unwound(throws_int, nullptr);
	} catch (int) {
	}
}

/* through the host's frames, whose destructors run, to the game's handler */
static bool through(ct_callback *thrower)
{
	int before = ct_unwound();
	try {
		ct_call_unwound(thrower, nullptr);
	} catch (int i) {
		return i == 42 && Counted::alive == 0 && ct_unwound() == before + 1;
	} catch (const std::runtime_error &e) {
		return !strcmp(e.what(), "thrown by the game") && Counted::alive == 0 && ct_unwound() == before + 1;
	}
	return false;
}

static bool seen_program, seen_host;

static void traces(void *)
{
	void *frames[64];
	int n = backtrace(frames, 64);
	for (int i = 0; i < n; i++) {
		Dl_info info;
		if (!dladdr(frames[i], &info) || !info.dli_fname)
			continue;
		seen_host = seen_host || strstr(info.dli_fname, "libcapsuletest");
		seen_program = seen_program || strstr(info.dli_fname, "unwind");
	}
}

static void *thread(void *)
{
	return through(throws_string) ? nullptr : const_cast<char *>("no");
}

int main()
{
	result("int", through(throws_int));
	result("runtime_error", through(throws_string));
	result("again", through(throws_string));
	int before = ct_unwound();
	ct_call_unwound(catches_inside, nullptr);
	result("caught-inside", ct_unwound() == before + 2);
	pthread_t t;
	void *why = const_cast<char *>("not started");
	if (!pthread_create(&t, nullptr, thread, nullptr))
		pthread_join(t, &why);
	result("thread", !why);
	ct_call_unwound(traces, nullptr);
	result("backtrace", seen_host && seen_program);
	return failed;
}
