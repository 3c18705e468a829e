/* The host's side of stdio: with one libc there is one stdout and one buffer behind it. */
#include "capsuletest.h"

#include <iostream>

void ct_print(const char *s) { printf("%s", s); }
void ct_puts_to(FILE *f, const char *s) { fputs(s, f); }
void ct_cout(const char *s) { std::cout << s; }

void *ct_stream(int which)
{
	FILE *all[] = {stdin, stdout, stderr};
	return all[which];
}

void *ct_stream_address(int which)
{
	FILE **all[] = {&stdin, &stdout, &stderr};
	return all[which];
}

FILE *ct_tmpfile(const char *contents)
{
	FILE *f = tmpfile();
	if (f) {
		fputs(contents, f);
		rewind(f);
	}
	return f;
}

int ct_wide(FILE *f, const wchar_t *s) { return fwprintf(f, L"<%ls>", s); }
