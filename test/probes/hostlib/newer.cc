/*
 * Functions that came to glibc long after the runtime's release, called as any library built today calls them. Behind
 * each is the glibc release that brought the symbol version which this library is linked to.
 */
#include "selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* glibc 2.41 forgot to declare these as C for C++ (sys/pidfd.h has no __BEGIN_DECLS) */
extern "C" {
#include <sys/pidfd.h>
}
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

namespace {
volatile double x = 10.5; /* volatile: so that the compiler calls libm */

/* 2.38: C23's strtol and scanf know 0b */
const char *c23_numbers()
{
	char *end;
	WANT(strtol("-42 ", &end, 10) == -42 && *end == ' ');
	WANT(strtoul("0x1f", nullptr, 0) == 31);
	WANT(strtoull("18446744073709551615", nullptr, 10) == UINT64_MAX);
	WANT(strtoimax("77", nullptr, 8) == 63);
	WANT(wcstol(L"12", nullptr, 10) == 12);
	int a = 0;
	char s[8] = "";
	WANT(sscanf("7 seven", "%d %7s", &a, s) == 2 && a == 7 && !strcmp(s, "seven"));
	return nullptr;
}

/* 2.38 */
const char *string_copies()
{
	char b[4];
	WANT(strlcpy(b, "abcdef", sizeof b) == 6 && !strcmp(b, "abc"));
	b[1] = 0;
	WANT(strlcat(b, "xyz", sizeof b) == 4 && !strcmp(b, "axy"));
	wchar_t w[3];
	WANT(wcslcpy(w, L"abc", 3) == 3 && !wcscmp(w, L"ab"));
	return nullptr;
}

/* 2.36 */
const char *random_numbers()
{
	unsigned char a[32] = {}, b[32] = {};
	arc4random_buf(a, sizeof a);
	arc4random_buf(b, sizeof b);
	WANT(memcmp(a, b, sizeof a) != 0);
	for (int i = 0; i < 100; i++)
		WANT(arc4random_uniform(7) < 7);
	return nullptr;
}

/* 2.33: stat, fstat, lstat, fstatat are symbols; before, they were inline calls of __xstat */
const char *stats()
{
	struct stat a, b, c, d;
	char path[32]; /* not /proc/self/exe, of which an emulator has two */
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	WANT(fd >= 0 && stat(path, &a) == 0 && lstat(path, &b) == 0);
	WANT(S_ISREG(a.st_mode) && S_ISLNK(b.st_mode));
	WANT(fstat(fd, &c) == 0 && c.st_ino == a.st_ino && c.st_dev == a.st_dev);
	WANT(fstatat(fd, "", &d, AT_EMPTY_PATH) == 0 && d.st_ino == a.st_ino);
	close(fd);
	WANT(stat("/no/such/file", &a) == -1 && errno == ENOENT);
	return nullptr;
}

/* 2.33 and 2.32 */
const char *names_and_counts()
{
	WANT(mallinfo2().arena + mallinfo2().hblkhd > 0 || mallinfo2().uordblks == 0);
	WANT(!strcmp(strerrorname_np(ENOENT), "ENOENT"));
	WANT(!strcmp(sigabbrev_np(SIGTERM), "TERM"));
	WANT(__libc_single_threaded == 0 || __libc_single_threaded == 1);
	return nullptr;
}

/* 2.30, and 2.34 when libpthread moved into libc */
const char *waits_by_clock()
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	sem_t s;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_nsec += 3000000;
	if (now.tv_nsec >= 1000000000)
		now.tv_sec++, now.tv_nsec -= 1000000000;
	pthread_mutex_lock(&m);
	WANT(pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &now) == ETIMEDOUT);
	pthread_mutex_unlock(&m);
	WANT(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &now) == 0);
	pthread_mutex_unlock(&m);
	WANT(sem_init(&s, 0, 1) == 0 && sem_clockwait(&s, CLOCK_MONOTONIC, &now) == 0);
	WANT(sem_clockwait(&s, CLOCK_MONOTONIC, &now) == -1 && errno == ETIMEDOUT);
	return nullptr;
}

/* 2.28, and 2.34 */
const char *c11_threads()
{
	thrd_t t;
	int got = 0;
	WANT(thrd_create(&t, [](void *) { return 23; }, nullptr) == thrd_success);
	WANT(thrd_join(t, &got) == thrd_success && got == 23);
	mtx_t m;
	WANT(mtx_init(&m, mtx_plain) == thrd_success && mtx_trylock(&m) == thrd_success);
	WANT(mtx_unlock(&m) == thrd_success);
	return nullptr;
}

/* 2.34 and 2.36 */
const char *descriptors()
{
	int fd = dup(0);
	if (fd < 0)
		fd = open("/dev/null", O_RDONLY);
	WANT(fd >= 0 && close_range(fd, fd, 0) == 0);
	WANT(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	int p = pidfd_open(getpid(), 0);
	WANT(p >= 0);
	WANT(pidfd_send_signal(p, 0, nullptr, 0) == 0);
	close(p);
	return nullptr;
}

/* 2.29, 2.35, 2.38, 2.39: new versions of old functions, and new ones */
const char *mathematics()
{
	WANT(fabs(exp(log(x)) - x) < 1e-12);
	WANT(fabs(pow(x, 2) - 110.25) < 1e-12);
	WANT(fmod(x, 3) == 1.5);
	WANT(fabs(exp10(log10(x)) - x) < 1e-12);
	WANT(fabs(log2(exp2(x)) - x) < 1e-12);
	WANT(hypot(3 + 0 * x, 4) == 5);
	return nullptr;
}
} // namespace

const Selftest newer_tests[] = {
	{"newer-c23-numbers", c23_numbers},
	{"newer-strlcpy", string_copies},
	{"newer-arc4random", random_numbers},
	{"newer-stat", stats},
	{"newer-names", names_and_counts},
	{"newer-clockwait", waits_by_clock},
	{"newer-c11-threads", c11_threads},
	{"newer-descriptors", descriptors},
	{"newer-libm", mathematics},
	{nullptr, nullptr},
};
