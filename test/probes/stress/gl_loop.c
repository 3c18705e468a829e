/* gl_loop FRAMES: draws them in one context with a buffer object and a texture made and deleted in each, and prints the
 * process's private memory after a tenth and at the end. */
#include "memory.h"
#include "surfaceless.h"

int main(int argc, char **argv)
{
	static unsigned char texels[16 * 16 * 4];
	int n = argc > 1 ? atoi(argv[1]) : 20000, wrong = 0;
	open_display();
	struct target t = make_target();
	enter(t);
	GLint colour = make_program();
	for (int i = 0; i < n; i++) {
		GLuint texture, buffer;
		glGenTextures(1, &texture);
		glBindTexture(GL_TEXTURE_2D, texture);
		glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, 16, 16, 0, GL_RGBA, GL_UNSIGNED_BYTE, texels);
		glGenBuffers(1, &buffer);
		glBindBuffer(GL_ARRAY_BUFFER, buffer);
		glBufferData(GL_ARRAY_BUFFER, sizeof texels, texels, GL_STREAM_DRAW);
		glUniform4f(colour, (i & 255) / 255.f, 0.5f, 0.25f, 1);
		glDrawArrays(GL_TRIANGLES, 0, 3);
		glFinish(); /* how far the driver's threads may lag behind is not the matter here */
		if (i % 100 == 0)
			wrong += !middle_is(i & 255, 127, 64);
		glDeleteBuffers(1, &buffer);
		glDeleteTextures(1, &texture);
		if (i == n / 10)
			printf("before_kib=%ld\nbefore_mappings=%ld\n", private_kib(), mappings());
	}
	wrong += glGetError() != GL_NO_ERROR;
	printf("after_kib=%ld\nafter_mappings=%ld\nwrong=%d\n", private_kib(), mappings(), wrong);
	leave();
	drop_target(t);
	eglTerminate(dpy);
	return wrong != 0;
}
