/* Memory allocated on one side and released, resized or measured on the other. */
#include "check.h"

#include <malloc.h>
#include <stdint.h>

/* sizes of every kind: tcache, small and large bins, mmap */
static const size_t sizes[] = {1, 24, 100, 1032, 5000, 70000, 1 << 20, 40 << 20};
#define SIZES (sizeof sizes / sizeof *sizes)

static const char *host_malloc_game_free(void)
{
	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < SIZES - 1; i++) {
			char *p = ct_malloc(sizes[i]);
			WANT(p && malloc_usable_size(p) >= sizes[i]);
			p[0] = p[sizes[i] - 1] = 1;
			free(p);
		}
	free(ct_malloc(sizes[SIZES - 1]));
	return NULL;
}

static const char *game_malloc_host_free(void)
{
	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < SIZES - 1; i++) {
			char *p = malloc(sizes[i]);
			WANT(p && ct_usable_size(p) >= sizes[i]);
			p[0] = p[sizes[i] - 1] = 1;
			ct_free(p);
		}
	ct_free(malloc(sizes[SIZES - 1]));
	return NULL;
}

static const char *calloc_both(void)
{
	char *p = ct_calloc(100, 10), *q = calloc(10, 100);
	for (int i = 0; i < 1000; i++)
		WANT(!p[i] && !q[i]);
	free(p);
	ct_free(q);
	return NULL;
}

static const char *realloc_both(void)
{
	char *p = strcpy(malloc(16), "kept");
	for (size_t n = 32; n <= 4 << 20; n *= 4) {
		p = ct_realloc(p, n);
		WANT(p && !strcmp(p, "kept"));
		p = realloc(p, 2 * n);
		WANT(p && !strcmp(p, "kept"));
	}
	p = ct_realloc(p, 8);
	WANT(p && !strcmp(p, "kept"));
	free(p);
	return NULL;
}

static const char *aligned(void)
{
	for (size_t a = 16; a <= 65536; a *= 4) {
		void *p = ct_posix_memalign(a, 3 * a), *q = ct_aligned_alloc(a, 2 * a), *r, *s = aligned_alloc(a, a);
		WANT(posix_memalign(&r, a, a) == 0);
		WANT(p && q && s);
		WANT(!(((uintptr_t)p | (uintptr_t)q | (uintptr_t)r | (uintptr_t)s) & (a - 1)));
		free(p);
		free(q);
		ct_free(r);
		ct_free(s);
	}
	return NULL;
}

static const char *strings(void)
{
	char *a = ct_strdup("host"), *b = strdup("game");
	WANT(!strcmp(a, "host") && !strcmp(b, "game"));
	a = realloc(a, 1000);
	WANT(!strcmp(a, "host"));
	free(a);
	ct_free(b);
	char *f = ct_asprintf(7), *g;
	WANT(!strcmp(f, "value 7") && asprintf(&g, "%d", 8) == 1);
	free(f);
	ct_free(g);
	char *m = ct_memstream(9);
	WANT(!strcmp(m, "value 9"));
	free(m);
	return NULL;
}

/* one line buffer grown by getline of both sides in turn */
static const char *lines(void)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = tmpfile();
	WANT(f);
	for (int i = 1; i <= 8; i++) {
		for (int j = 0; j < 1 << (2 * i); j++)
			putc('a' + i, f);
		putc('\n', f);
	}
	rewind(f);
	for (int i = 1; i <= 8; i++) {
		ssize_t n = i % 2 ? ct_getline(&line, &size, f) : getline(&line, &size, f);
		WANT(n == (1 << (2 * i)) + 1 && line[0] == 'a' + i && line[n - 1] == '\n');
	}
	fclose(f);
	free(line);
	return NULL;
}

static const char *cxx_new(void)
{
	void *p = ct_new(100);
	WANT(p && malloc_usable_size(p) >= 100);
	ct_delete(p);
	ct_delete(malloc(8)); /* libstdc++'s delete is free */
	free(ct_new(8));
	return NULL;
}

/* many threads of both sides with blocks of each other */
static void churn(void *arg)
{
	void **slots = arg;
	for (int i = 0; i < 20000; i++) {
		void *fresh = i % 2 ? malloc(i % 3000) : ct_malloc(i % 3000);
		void *old = __atomic_exchange_n(&slots[i % 64], fresh, __ATOMIC_ACQ_REL);
		if (i % 3)
			free(old);
		else
			ct_free(old);
	}
}

static void *churn_thread(void *arg)
{
	churn(arg);
	return NULL;
}

static const char *across_threads(void)
{
	static void *slots[64];
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		WANT(pthread_create(&t[i], NULL, churn_thread, slots) == 0);
	ct_thread_run(churn, slots);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 64; i++)
		ct_free(slots[i]);
	return NULL;
}

const struct check memory_checks[] = {
	{"malloc-host-free-game", host_malloc_game_free},
	{"malloc-game-free-host", game_malloc_host_free},
	{"calloc", calloc_both},
	{"realloc", realloc_both},
	{"posix_memalign", aligned},
	{"strdup-asprintf-memstream", strings},
	{"getline", lines},
	{"new-delete", cxx_new},
	{"malloc-threads", across_threads},
	{NULL, NULL},
};
