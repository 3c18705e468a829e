/* The host's side of memory that one side allocates and the other frees. */
#include "capsuletest.h"

#include <malloc.h>
#include <new>
#include <stdlib.h>
#include <string.h>

void *ct_malloc(size_t n) { return malloc(n); }
void *ct_calloc(size_t n, size_t size) { return calloc(n, size); }
void *ct_realloc(void *p, size_t n) { return realloc(p, n); }
void *ct_aligned_alloc(size_t alignment, size_t n) { return aligned_alloc(alignment, n); }
char *ct_strdup(const char *s) { return strdup(s); }
ssize_t ct_getline(char **line, size_t *size, FILE *f) { return getline(line, size, f); }
void *ct_new(size_t n) { return operator new(n); }
void ct_delete(void *p) { operator delete(p); }
void ct_free(void *p) { free(p); }
size_t ct_usable_size(void *p) { return malloc_usable_size(p); }

void *ct_posix_memalign(size_t alignment, size_t n)
{
	void *p = nullptr;
	return posix_memalign(&p, alignment, n) ? nullptr : p;
}

char *ct_asprintf(int value)
{
	char *s = nullptr;
	return asprintf(&s, "value %d", value) < 0 ? nullptr : s;
}

char *ct_memstream(int value)
{
	char *s = nullptr;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);
	if (!f)
		return nullptr;
	fprintf(f, "value %d", value);
	fclose(f);
	return s;
}
