/* What each function of library.c gave, as a line: "FUNCTION FORM: RESULT". */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *form;
static char text[8192];

static void show(const char *function, const char *format, ...)
{
	int error = errno;
	va_list list;
	printf("%s %s: ", function, form);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	if (!strcmp(format, "failed"))
		printf(" %d", error);
	putchar('\n');
	fflush(stdout);
}

static void descriptor(const char *function, int fd)
{
	if (fd < 0) {
		show(function, "failed");
		return;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	text[strcspn(text, "\n")] = 0;
	show(function, n < 0 ? "directory" : "%s", text);
	close(fd);
}

static void stream(const char *function, FILE *f)
{
	if (!f) {
		show(function, "failed");
		return;
	}
	if (!fgets(text, sizeof text, f))
		strcpy(text, "directory");
	text[strcspn(text, "\n")] = 0;
	show(function, "%s", text);
	fclose(f);
}

static void status(const char *function, int result)
{
	if (result < 0)
		show(function, "failed");
	else
		show(function, "%d", result);
}

static void string(const char *function, char *result)
{
	if (!result)
		show(function, "failed");
	else
		show(function, "%s", result);
}

/* function is called with st, which it fills in */
#define STAT(function, type, ...)                                                                                      \
	do {                                                                                                           \
		struct type st;                                                                                        \
		if (function(__VA_ARGS__))                                                                             \
			show(#function, "failed");                                                                     \
		else                                                                                                   \
			show(#function, "mode %o size %lld at %lld", (unsigned)st.st_mode,                             \
			     S_ISREG(st.st_mode) ? (long long)st.st_size : 0LL,                                        \
			     S_ISREG(st.st_mode) ? (long long)st.st_mtime : 0LL);                                      \
	} while (0)
