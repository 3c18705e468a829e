/* thread_storm ROUNDS: threads that the host's library makes and joins, eight threads of ours doing so at a time. Each
 * sets a key of the host's library, allocates there, and ends by return or by the host's pthread_exit. */
#include "capsuletest.h"
#include "memory.h"
#include <stdlib.h>

#define AT_A_TIME 8

static pthread_key_t key;
static int rounds, done, destroyed;

static void destructor(void *value)
{
	ct_free(value);
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

static void live(void *arg)
{
	int id = (int)(size_t)arg;
	char *value = ct_malloc(100 + id % 1000);
	if (!value || ct_key_set(key, value) || ct_key_get(key) != value)
		abort();
	__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
	if (id % 2)
		ct_thread_exit(NULL);
}

static void *make(void *arg)
{
	for (int i = 0; i < rounds / 10; i++)
		if (ct_thread_run(live, (void *)((size_t)arg * 1000 + i)))
			abort();
	return NULL;
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? atoi(argv[1]) : 1000;
	if (ct_key_create(&key, destructor))
		return 1;
	for (int tenth = 0; tenth < 10; tenth++) {
		pthread_t threads[AT_A_TIME];
		for (size_t k = 0; k < AT_A_TIME; k++)
			if (pthread_create(&threads[k], NULL, make, (void *)k))
				return 1;
		for (int k = 0; k < AT_A_TIME; k++)
			pthread_join(threads[k], NULL);
		if (tenth == 0)
			printf("before_kib=%ld\nbefore_mappings=%ld\n", private_kib(), mappings());
	}
	int want = rounds / 10 * 10 * AT_A_TIME;
	printf("after_kib=%ld\nafter_mappings=%ld\nwrong=%d\n", private_kib(), mappings(), 2 * want - done - destroyed);
	return done != want || destroyed != want;
}
