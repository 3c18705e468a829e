/* The host's side of what a process has once: environment, errno, exit handlers, signals, children, timers. */
#include "capsuletest.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *ct_getenv(const char *name) { return getenv(name); }
int ct_setenv(const char *name, const char *value) { return setenv(name, value, 1); }
int ct_unsetenv(const char *name) { return unsetenv(name); }
int ct_putenv(char *text) { return putenv(text); }
char ***ct_environ_address(void) { return &environ; }
void ct_replace_environ(char **to) { environ = to; }

/* close(-1) sets EBADF in libc itself; the given value is stored by compiled code of the host */
int ct_fail_with_errno(int value)
{
	if (value == EBADF)
		return close(-1);
	errno = value;
	return -1;
}

int ct_errno(void) { return errno; }
int *ct_errno_address(void) { return &errno; }

namespace {
const char *texts[8];
int count;
int announce = -1;

/* handlers run from the last to the first registered */
void note()
{
	const char *s = texts[--count];
	if (write(STDOUT_FILENO, s, strlen(s)) < 0)
		_exit(99);
}

[[gnu::destructor]] void destructor()
{
	if (announce >= 0 && write(announce, "D", 1) < 0)
		_exit(99);
}

ct_callback *fork_note;
void *fork_args[3];
} // namespace

void ct_atexit(const char *text)
{
	texts[count++] = text;
	atexit(note);
}

void ct_announce_destructor(int fd) { announce = fd; }

int ct_atfork(ct_callback *note, void *prepare, void *parent, void *child)
{
	fork_note = note;
	fork_args[0] = prepare, fork_args[1] = parent, fork_args[2] = child;
	return pthread_atfork([] { fork_note(fork_args[0]); }, [] { fork_note(fork_args[1]); }, [] { fork_note(fork_args[2]); });
}

int ct_signal(int number, void (*handler)(int))
{
	struct sigaction sa = {};
	sa.sa_handler = handler;
	return sigaction(number, &sa, nullptr);
}

int ct_raise(int number) { return raise(number); }
pid_t ct_getpid(void) { return getpid(); }
pid_t ct_gettid(void) { return gettid(); }
int ct_system(const char *command) { return system(command); }
FILE *ct_popen(const char *command) { return popen(command, "r"); }
int ct_pclose(FILE *f) { return pclose(f); }

long ct_timezone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
	return timezone;
}

/* waits for one expiry in a thread of libc's own (SIGEV_THREAD) */
int ct_timer(int milliseconds, ct_callback *f, void *arg)
{
	struct Expiry {
		ct_callback *f;
		void *arg;
		pthread_mutex_t m;
		pthread_cond_t c;
		bool done;
	} e = {f, arg, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
	struct sigevent ev = {};
	ev.sigev_notify = SIGEV_THREAD;
	ev.sigev_value.sival_ptr = &e;
	ev.sigev_notify_function = [](union sigval v) {
		auto *e = static_cast<Expiry *>(v.sival_ptr);
		e->f(e->arg);
		pthread_mutex_lock(&e->m);
		e->done = true;
		pthread_cond_signal(&e->c);
		pthread_mutex_unlock(&e->m);
	};
	timer_t t;
	if (timer_create(CLOCK_MONOTONIC, &ev, &t))
		return -1;
	struct itimerspec in = {};
	in.it_value.tv_nsec = milliseconds * 1000000L;
	timer_settime(t, 0, &in, nullptr);
	pthread_mutex_lock(&e.m);
	while (!e.done)
		pthread_cond_wait(&e.c, &e.m);
	pthread_mutex_unlock(&e.m);
	return timer_delete(t);
}
