/* The host's side of threads: keys, and C++ frames through which threads are ended. */
#include "capsuletest.h"

#include <atomic>
#include <thread>
#include <unistd.h>

namespace {
std::atomic<int> unwound;

/* counts that a frame of the host was left by unwinding rather than abandoned */
struct Frame {
	~Frame() { unwound++; }
};

[[gnu::noinline]] void deeper(void *value)
{
	Frame f;
	pthread_exit(value);
}
} // namespace

int ct_key_create(pthread_key_t *key, ct_callback *destructor) { return pthread_key_create(key, destructor); }
int ct_key_set(pthread_key_t key, void *value) { return pthread_setspecific(key, value); }
void *ct_key_get(pthread_key_t key) { return pthread_getspecific(key); }
int ct_mutex_lock(pthread_mutex_t *m) { return pthread_mutex_lock(m); }
int ct_mutex_unlock(pthread_mutex_t *m) { return pthread_mutex_unlock(m); }
pthread_t ct_self(void) { return pthread_self(); }
int ct_unwound(void) { return unwound; }

/* both end the calling thread with two of the host's C++ frames on its stack, or one */
void ct_thread_exit(void *value)
{
	Frame f;
	deeper(value);
}

void ct_block(void)
{
	Frame f;
	for (;;)
		pause();
}

int ct_thread_run(ct_callback *body, void *arg)
{
	std::thread t(body, arg);
	t.join();
	return 0;
}

/* a plain frame of the host between two of the game's: longjmp passes over it */
void ct_call(ct_callback *f, void *arg)
{
	volatile char keep[64];
	keep[0] = 1;
	f(arg);
	keep[1] = keep[0];
}

/* a frame with a destructor, for exceptions that pass over it: counted by ct_unwound */
void ct_call_unwound(ct_callback *f, void *arg)
{
	Frame frame;
	f(arg);
}
