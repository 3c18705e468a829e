/* Monotonic time in ns, comparable between processes of one machine. */
#ifndef CLOCK_H
#define CLOCK_H
#include <time.h>

static inline long long now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
#endif
