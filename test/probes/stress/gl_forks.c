/* gl_forks N: forks N times while a context is current. A child uses what a child may of libc and ends by exit or _exit,
 * or executes /bin/true; the parent draws on. */
#include "surfaceless.h"
#include <sys/wait.h>
#include <unistd.h>

static int child(int i)
{
	char text[64];
	void *p[100];
	if (!getenv("PATH"))
		return 3;
	for (int k = 0; k < 100; k++)
		if (!(p[k] = malloc(100 * k + 1)))
			return 4;
	for (int k = 0; k < 100; k++)
		free(p[k]);
	if (snprintf(text, sizeof text, "child %d\n", i) < 8)
		return 5;
	fputs(text, stdout);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 200, bad = 0, wrong = 0;
	open_display();
	struct target t = make_target();
	enter(t);
	GLint colour = make_program();
	for (int i = 0; i < n; i++) {
		int status;
		fflush(stdout);
		pid_t pid = fork();
		need(pid >= 0, "fork");
		if (pid == 0) {
			alarm(20);
			int s = child(i);
			if (i % 3 == 0)
				exit(s);
			if (i % 3 == 1 && s == 0)
				execl("/bin/true", "true", NULL);
			_exit(s ? s : i % 3 == 1);
		}
		glUniform4f(colour, (i & 255) / 255.f, 0, 0, 1);
		glDrawArrays(GL_TRIANGLES, 0, 3);
		wrong += !middle_is(i & 255, 0, 0);
		if (waitpid(pid, &status, 0) != pid || status) {
			fprintf(stderr, "child %d of way %d: wait status %#x\n", i, i % 3, status);
			bad++;
		}
	}
	printf("forks=%d\nbad=%d\nwrong=%d\n", n, bad, wrong);
	leave();
	drop_target(t);
	eglTerminate(dpy);
	return bad || wrong;
}
