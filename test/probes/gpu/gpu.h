/*
 * What the GPU probes share. Each opens its API's library by name, as programs do that must start without it, and
 * prints lines that are the same for the same driver, whatever side it is loaded from; measured times have lines of
 * their own that begin with "time ". Exit status: 0 done, 77 nothing to work with (no library, no GPU), 1 failed.
 */
#ifndef GPU_H
#define GPU_H

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOTHING 77

static inline double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static inline void print_time(const char *what, double ms) { printf("time %s %.4f ms\n", what, ms); }

static inline void *open_library(const char *name)
{
	void *h = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!h) {
		fflush(stdout);
		fprintf(stderr, "%s\n", dlerror());
		exit(NOTHING);
	}
	return h;
}

static inline void *need_symbol(void *handle, const char *name)
{
	void *p = dlsym(handle, name);
	if (!p) {
		fprintf(stderr, "no %s: %s\n", name, dlerror());
		exit(1);
	}
	return p;
}

/* FNV-1a, 64 bits: enough to tell two pictures or arrays apart. */
static inline uint64_t hash_bytes(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}
#endif
