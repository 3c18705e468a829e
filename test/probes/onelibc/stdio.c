/* One stdio: one buffer behind stdout, streams that both sides use. */
#include "check.h"

#include <wchar.h>

static void alternate(void)
{
	setvbuf(stdout, NULL, _IOFBF, 4096);
	for (int i = 0; i < 3; i++) {
		ct_print("h");
		printf("g");
		ct_cout("c");
		fputs("G", stdout);
	}
	exit(0);
}

/* nobody flushes: with two buffers all of the one's would come before all of the other's, or be lost */
static const char *order(void)
{
	char out[64];
	WANT(capture(alternate, out, sizeof out) == 0);
	WANT(!strcmp(out, "hgcGhgcGhgcG"));
	return NULL;
}

static void host_only(void)
{
	ct_print("never flushed by its writer");
	exit(0);
}

static const char *flushed_at_exit(void)
{
	char out[64];
	WANT(capture(host_only, out, sizeof out) == 0);
	WANT(!strcmp(out, "never flushed by its writer"));
	return NULL;
}

static const char *streams(void)
{
	WANT(ct_stream(0) == stdin && ct_stream(1) == stdout && ct_stream(2) == stderr);
	/* the variables too, which the program's copy relocations moved into it */
	WANT(ct_stream_address(0) == &stdin && ct_stream_address(1) == &stdout && ct_stream_address(2) == &stderr);
	return NULL;
}

/* a reassigned stdout is the other side's stdout */
static const char *reassigned(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *old = stdout, *f = open_memstream(&text, &n);
	WANT(f);
	stdout = f;
	ct_print("moved");
	stdout = old;
	fclose(f);
	WANT(!strcmp(text, "moved"));
	ct_free(text);
	return NULL;
}

static const char *files(void)
{
	char line[32];
	FILE *f = tmpfile();
	WANT(f);
	fputs("game ", f);
	ct_puts_to(f, "host ");
	fputs("game", f);
	rewind(f);
	WANT(fgets(line, sizeof line, f) && !strcmp(line, "game host game"));
	fclose(f);
	WANT((f = ct_tmpfile("from the host\n")));
	WANT(fgets(line, sizeof line, f) && !strcmp(line, "from the host\n"));
	WANT(feof(f) == 0 && fgetc(f) == EOF && feof(f));
	fclose(f);
	return NULL;
}

static const char *wide(void)
{
	wchar_t *text = NULL;
	size_t n = 0;
	FILE *f = open_wmemstream(&text, &n);
	WANT(f);
	fwprintf(f, L"%ls", L"game");
	WANT(ct_wide(f, L"host") == 6);
	fclose(f);
	WANT(!wcscmp(text, L"game<host>"));
	free(text);
	return NULL;
}

static const char *lock_held(void)
{
	flockfile(stdout); /* recursive for its owner: a second copy of stdio would know another owner */
	ct_print("");
	funlockfile(stdout);
	return NULL;
}

const struct check stdio_checks[] = {
	{"stdio-order", order},
	{"stdio-flushed-at-exit", flushed_at_exit},
	{"stdio-streams", streams},
	{"stdio-reassigned", reassigned},
	{"stdio-file", files},
	{"stdio-wide", wide},
	{"stdio-lock", lock_held},
	{NULL, NULL},
};
