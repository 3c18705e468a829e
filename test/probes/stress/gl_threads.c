/* gl_threads THREADS FRAMES: each thread draws in a context of its own, all at the same time, and reads back its own colour. */
#include "surfaceless.h"
#include <pthread.h>

static int frames;
static pthread_barrier_t start;

static void *draw(void *arg)
{
	int id = (int)(size_t)arg, wrong = 0;
	struct target t = make_target();
	enter(t);
	GLint colour = make_program();
	pthread_barrier_wait(&start);
	for (int i = 0; i < frames; i++) {
		int r = id & 255, g = i & 255, b = (id + i) & 255;
		glUniform4f(colour, r / 255.f, g / 255.f, b / 255.f, 1);
		glDrawArrays(GL_TRIANGLES, 0, 3);
		wrong += !middle_is(r, g, b);
	}
	wrong += glGetError() != GL_NO_ERROR;
	leave();
	drop_target(t);
	eglReleaseThread();
	return (void *)(size_t)wrong;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 64;
	size_t wrong = 0;
	frames = argc > 2 ? atoi(argv[2]) : 100;
	pthread_t *threads = calloc(n, sizeof *threads);
	open_display();
	pthread_barrier_init(&start, NULL, n);
	for (int i = 0; i < n; i++)
		need(!pthread_create(&threads[i], NULL, draw, (void *)(size_t)i), "pthread_create");
	for (int i = 0; i < n; i++) {
		void *w;
		pthread_join(threads[i], &w);
		wrong += (size_t)w;
	}
	eglTerminate(dpy);
	free(threads);
	printf("threads=%d\nframes=%d\nwrong=%zu\n", n, n * frames, wrong);
	return wrong != 0;
}
