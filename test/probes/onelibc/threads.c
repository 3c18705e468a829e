/* Threads: keys of both sides, and the ways to leave frames of the other side. */
#include "check.h"

#include <setjmp.h>

#define KEYS 20

static int destroyed[2];

static void destroy_game(void *value) { destroyed[0] += (int)(long)value; }
static void destroy_host(void *value) { destroyed[1] += (int)(long)value; }

static pthread_key_t keys[2 * KEYS];

static void *use_keys(void *arg)
{
	for (int i = 0; i < 2 * KEYS; i++)
		if (i % 2 ? ct_key_set(keys[i], (void *)1L) : pthread_setspecific(keys[i], (void *)1L))
			return NULL;
	return arg;
}

/* keys made alternately on both sides are distinct, hold each its own value on both, and all destructors run */
static const char *keys_distinct(void)
{
	void *ret;
	pthread_t t;
	for (int i = 0; i < 2 * KEYS; i++) {
		WANT((i % 2 ? ct_key_create(&keys[i], destroy_host) : pthread_key_create(&keys[i], destroy_game)) == 0);
		for (int j = 0; j < i; j++)
			WANT(keys[j] != keys[i]);
		WANT(ct_key_set(keys[i], (void *)(100L + i)) == 0);
	}
	for (int i = 0; i < 2 * KEYS; i++) {
		WANT(pthread_getspecific(keys[i]) == (void *)(100L + i));
		WANT(ct_key_get(keys[i]) == (void *)(100L + i));
		pthread_setspecific(keys[i], NULL);
	}
	destroyed[0] = destroyed[1] = 0;
	WANT(pthread_create(&t, NULL, use_keys, keys) == 0 && pthread_join(t, &ret) == 0 && ret == keys);
	WANT(destroyed[0] == KEYS && destroyed[1] == KEYS);
	for (int i = 0; i < 2 * KEYS; i++)
		WANT(pthread_key_delete(keys[i]) == 0);
	return NULL;
}

static pthread_key_t leave_key;

static void *leave_by_exit(void *arg)
{
	pthread_setspecific(leave_key, (void *)1L);
	ct_thread_exit(arg);
	return NULL;
}

static void *leave_by_cancel(void *arg)
{
	pthread_setspecific(leave_key, (void *)1L);
	ct_block();
	return arg;
}

/* pthread_exit below frames of the host: the value arrives, the host's frames are unwound, keys destroyed */
static const char *exit_in_host(void)
{
	void *ret = NULL;
	pthread_t t;
	int before = ct_unwound();
	destroyed[0] = 0;
	WANT(pthread_key_create(&leave_key, destroy_game) == 0);
	WANT(pthread_create(&t, NULL, leave_by_exit, keys) == 0 && pthread_join(t, &ret) == 0);
	WANT(ret == keys);
	WANT(destroyed[0] == 1);
	WANT(ct_unwound() == before + 2);
	return NULL;
}

static const char *cancel_in_host(void)
{
	void *ret = NULL;
	pthread_t t;
	int before = ct_unwound();
	destroyed[0] = 0;
	WANT(pthread_key_create(&leave_key, destroy_game) == 0);
	WANT(pthread_create(&t, NULL, leave_by_cancel, NULL) == 0);
	usleep(50000);
	WANT(pthread_cancel(t) == 0 && pthread_join(t, &ret) == 0);
	WANT(ret == PTHREAD_CANCELED);
	WANT(destroyed[0] == 1);
	WANT(ct_unwound() == before + 1);
	return NULL;
}

/* the cleanup handler of the game, above the host's frames, must run as well */
static int cleaned;

static void clean(void *arg) { cleaned += arg != NULL; }

static void *cleanup_above_host(void *arg)
{
	pthread_cleanup_push(clean, arg);
	ct_thread_exit(arg);
	pthread_cleanup_pop(0);
	return NULL;
}

static const char *exit_runs_cleanup(void)
{
	pthread_t t;
	cleaned = 0;
	WANT(pthread_create(&t, NULL, cleanup_above_host, keys) == 0 && pthread_join(t, NULL) == 0);
	WANT(cleaned == 1);
	return NULL;
}

static void *exit_below_game(void *arg)
{
	ct_call(pthread_exit, arg);
	return NULL;
}

static const char *exit_in_callback(void)
{
	void *ret = NULL;
	pthread_t t;
	WANT(pthread_create(&t, NULL, exit_below_game, keys) == 0 && pthread_join(t, &ret) == 0);
	WANT(ret == keys);
	return NULL;
}

static jmp_buf jump;

static void jump_out(void *arg) { longjmp(jump, (int)(long)arg); }

static int jump_compare(const void *a, const void *b)
{
	(void)a, (void)b;
	longjmp(jump, 9);
}

static const char *longjmp_over_host(void)
{
	int values[] = {3, 1, 2}, got;
	for (volatile int i = 1; i < 5; i++) {
		if (!(got = setjmp(jump)))
			ct_call(jump_out, (void *)(long)i);
		WANT(got == i);
	}
	if (!(got = setjmp(jump)))
		ct_qsort(values, 3, jump_compare);
	WANT(got == 9);
	return NULL;
}

static void store_self(void *arg) { *(pthread_t *)arg = pthread_self(); }

/* a thread of the host's std::thread runs the game's code, with one idea of who it is */
static const char *host_thread(void)
{
	pthread_t t = pthread_self();
	WANT(pthread_equal(t, ct_self()));
	WANT(ct_thread_run(store_self, &t) == 0);
	WANT(!pthread_equal(t, pthread_self()));
	return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void count(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		if (arg)
			ct_mutex_lock(&mutex);
		else
			pthread_mutex_lock(&mutex);
		counter++;
		if (arg)
			pthread_mutex_unlock(&mutex);
		else
			ct_mutex_unlock(&mutex);
	}
}

static void *count_thread(void *arg)
{
	count(arg);
	return NULL;
}

static const char *mutex_both(void)
{
	pthread_t t;
	counter = 0;
	WANT(pthread_create(&t, NULL, count_thread, NULL) == 0);
	ct_thread_run(count, keys);
	pthread_join(t, NULL);
	WANT(counter == 40000);
	return NULL;
}

const struct check thread_checks[] = {
	{"pthread-keys", keys_distinct},
	{"pthread_exit-in-host", exit_in_host},
	{"pthread_exit-cleanup", exit_runs_cleanup},
	{"pthread_exit-in-callback", exit_in_callback},
	{"pthread_cancel-in-host", cancel_in_host},
	{"longjmp-over-host", longjmp_over_host},
	{"host-thread-runs-game", host_thread},
	{"mutex-both", mutex_both},
	{NULL, NULL},
};
