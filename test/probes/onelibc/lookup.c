/* Structures and callbacks that cross, and the locale that both sides live in. */
#include "check.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <time.h>
#include <wctype.h>

static const char *stats(void)
{
	struct stat a, b;
	static const char *paths[] = {"/", "/etc/passwd", "/proc/self/exe", "/dev/null", "/tmp"};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		memset(&a, 0, sizeof a), memset(&b, 0, sizeof b);
		WANT(stat(paths[i], &a) == 0 && ct_stat(paths[i], &b) == 0);
		WANT(a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_size == b.st_size);
	}
	int fd = open("/etc/passwd", O_RDONLY);
	WANT(fd >= 0 && ct_fstat(fd, &a) == 0 && fstat(fd, &b) == 0 && a.st_ino == b.st_ino);
	close(fd);
	return NULL;
}

static const char *directories(void)
{
	int n = 0;
	DIR *d = ct_opendir("/etc");
	WANT(d);
	for (struct dirent *e; (e = readdir(d));)
		n += !strcmp(e->d_name, "passwd");
	WANT(n == 1 && ct_closedir(d) == 0);
	return NULL;
}

static const char *users(void)
{
	struct passwd *host = ct_getpwuid(0);
	WANT(host && !strcmp(host->pw_name, "root"));
	WANT(getpwuid(0) == host); /* libc's own static buffer */
	return NULL;
}

static const char *addresses(void)
{
	struct addrinfo *list = NULL, hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	WANT(ct_getaddrinfo("127.0.0.1", (void **)&list) == 0 && list->ai_family == AF_INET);
	WANT(ntohs(((struct sockaddr_in *)list->ai_addr)->sin_port) == 80);
	freeaddrinfo(list);
	WANT(getaddrinfo("::1", "443", &hints, &list) == 0 && list->ai_family == AF_INET6);
	ct_freeaddrinfo(list);
	return NULL;
}

static int descending(const void *a, const void *b) { return ct_compare(b, a); }

static const char *sorting(void)
{
	int v[100], key = 42;
	for (int i = 0; i < 100; i++)
		v[i] = i * 37 % 100;
	qsort(v, 100, sizeof *v, ct_compare);
	for (int i = 0; i < 100; i++)
		WANT(v[i] == i);
	WANT(bsearch(&key, v, 100, sizeof *v, ct_compare) == &v[42]);
	ct_qsort(v, 100, descending);
	for (int i = 0; i < 100; i++)
		WANT(v[i] == 99 - i);
	return NULL;
}

static const char *clocks(void)
{
	struct timespec ts;
	long long before, host, after;
	clock_gettime(CLOCK_MONOTONIC, &ts), before = ts.tv_sec * 1000000000LL + ts.tv_nsec;
	host = ct_clock(CLOCK_MONOTONIC);
	clock_gettime(CLOCK_MONOTONIC, &ts), after = ts.tv_sec * 1000000000LL + ts.tv_nsec;
	WANT(before <= host && host <= after);
	return NULL;
}

static const char *process_locale(void)
{
	char text[32];
	WANT(ct_mb_cur_max() == 1 && MB_CUR_MAX == 1);
	WANT(setlocale(LC_ALL, "C.UTF-8"));
	WANT(!strcmp(ct_codeset(), "UTF-8") && ct_mb_cur_max() == 6 && ct_iswalpha(0xe4));
	WANT(ct_format(text, sizeof text, 1.5) == 7 && !strcmp(text, "1.50 \xc3\xa4"));
	WANT(ct_setlocale("C") && MB_CUR_MAX == 1 && strcmp(nl_langinfo(CODESET), "UTF-8"));
	WANT(ct_setlocale("C.UTF-8") && MB_CUR_MAX == 6 && iswalpha(0xe4));
	WANT(ct_isalpha('a') && !ct_isalpha('1') && isalpha('a'));
	WANT(ct_setlocale(NULL) == setlocale(LC_ALL, NULL));
	return NULL;
}

static const char *thread_locale(void)
{
	locale_t utf = newlocale(LC_ALL_MASK, "C.UTF-8", NULL), old;
	WANT(utf && ct_uselocale(NULL) == uselocale(NULL));
	old = uselocale(utf);
	WANT(ct_uselocale(NULL) == utf && ct_mb_cur_max() == 6);
	WANT(ct_uselocale(old) == utf && uselocale(NULL) == old && MB_CUR_MAX == 1);
	freelocale(utf);
	WANT((utf = ct_newlocale("C.UTF-8")));
	WANT(iswalpha_l(0xe4, utf));
	uselocale(utf);
	WANT(ct_iswalpha(0xe4));
	uselocale(old);
	freelocale(utf);
	return NULL;
}

const struct check lookup_checks[] = {
	{"stat", stats},
	{"readdir", directories},
	{"getpwuid", users},
	{"getaddrinfo", addresses},
	{"qsort-bsearch", sorting},
	{"clock", clocks},
	{"locale-process", process_locale},
	{"locale-thread", thread_locale},
	{NULL, NULL},
};
