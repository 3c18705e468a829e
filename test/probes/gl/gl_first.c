/*
 * gl_first: the time from exec to the first glGetString. exec_at sets CAPSULE_START_NS just before it execs; all
 * times are ns of the monotonic clock.
 */
#include "clock.h"
#include "context.h"

int main(void)
{
	long long main_ns = now_ns();
	make_context();
	const char *renderer = (const char *)glGetString(GL_RENDERER);
	long long first_ns = now_ns();
	const char *start = getenv("CAPSULE_START_NS");
	printf("renderer=%s\nversion=%s\n", renderer, (const char *)glGetString(GL_VERSION));
	if (start) {
		long long from = atoll(start);
		printf("main_ns=%lld\nfirst_ns=%lld\n", main_ns - from, first_ns - from);
	}
	return renderer ? 0 : 1;
}
