/* gl_churn THREADS: short-lived threads, eight at a time. Each takes a context over, draws, and ends: by return or
 * pthread_exit, half of them without eglReleaseThread, so that thread-specific data of the driver is left to end with them. Prints
 * memory like gl_loop. */
#include "memory.h"
#include "surfaceless.h"
#include <pthread.h>

#define AT_A_TIME 8

static struct target targets[AT_A_TIME];
static GLint colour[AT_A_TIME];

static void *live(void *arg)
{
	int id = (int)(size_t)arg, k = id % AT_A_TIME;
	enter(targets[k]);
	glUniform4f(colour[k], (id & 255) / 255.f, 0, 0, 1);
	glDrawArrays(GL_TRIANGLES, 0, 3);
	void *wrong = (void *)(size_t)!middle_is(id & 255, 0, 0);
	leave();
	if (id / AT_A_TIME % 2)
		eglReleaseThread();
	if (id / AT_A_TIME % 4 < 2)
		pthread_exit(wrong);
	return wrong;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 4000;
	size_t wrong = 0;
	open_display();
	for (int k = 0; k < AT_A_TIME; k++) {
		targets[k] = make_target();
		enter(targets[k]);
		colour[k] = make_program();
		leave();
	}
	for (int i = 0; i < n; i += AT_A_TIME) {
		pthread_t threads[AT_A_TIME];
		for (int k = 0; k < AT_A_TIME; k++)
			need(!pthread_create(&threads[k], NULL, live, (void *)(size_t)(i + k)), "pthread_create");
		for (int k = 0; k < AT_A_TIME; k++) {
			void *w;
			pthread_join(threads[k], &w);
			wrong += (size_t)w;
		}
		if (i / AT_A_TIME == n / AT_A_TIME / 10)
			printf("before_kib=%ld\nbefore_mappings=%ld\n", private_kib(), mappings());
	}
	printf("after_kib=%ld\nafter_mappings=%ld\nwrong=%zu\n", private_kib(), mappings(), wrong);
	for (int k = 0; k < AT_A_TIME; k++)
		drop_target(targets[k]);
	eglTerminate(dpy);
	return wrong != 0;
}
