/* frames [N]: draws and shows N frames (default 100) and ends by itself. */
#include "context.h"

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100;
	make_context();
	for (int i = 0; i < n; i++) {
		glClearColor(i % 2, 0.5f, 0.25f, 1);
		glClear(GL_COLOR_BUFFER_BIT);
		glBegin(GL_TRIANGLES);
		glVertex2f(-1, -1);
		glVertex2f(1, -1);
		glVertex2f(0, 1);
		glEnd();
		glXSwapBuffers(dpy, win);
	}
	printf("renderer=%s\nframes=%d\n", (const char *)glGetString(GL_RENDERER), n);
	return glGetError() ? 1 : 0;
}
