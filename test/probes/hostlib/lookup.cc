/* The host's side of calls which return structures, or call back. */
#include "capsuletest.h"

#include <dirent.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int ct_stat(const char *path, struct stat *st) { return stat(path, st); }
int ct_fstat(int fd, struct stat *st) { return fstat(fd, st); }
void *ct_opendir(const char *path) { return opendir(path); }
int ct_closedir(void *dir) { return closedir(static_cast<DIR *>(dir)); }
void *ct_getpwuid(unsigned uid) { return getpwuid(uid); }

int ct_getaddrinfo(const char *host, void **list)
{
	struct addrinfo hints = {};
	hints.ai_flags = AI_NUMERICHOST;
	hints.ai_socktype = SOCK_STREAM;
	return getaddrinfo(host, "80", &hints, reinterpret_cast<struct addrinfo **>(list));
}

void ct_freeaddrinfo(void *list) { freeaddrinfo(static_cast<struct addrinfo *>(list)); }

void ct_qsort(int *values, size_t n, int (*compare)(const void *, const void *)) { qsort(values, n, sizeof *values, compare); }

int ct_compare(const void *a, const void *b)
{
	int x = *static_cast<const int *>(a), y = *static_cast<const int *>(b);
	return (x > y) - (x < y);
}

long long ct_clock(int id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
