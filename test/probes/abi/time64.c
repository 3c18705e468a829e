/* Compiled with 64-bit time on every port. Facts that any glibc and kernel must agree on. */
#include "abi.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define TEXT(x) #x
#define LINE(x) TEXT(x)
#define WANT(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			return "time64.c:" LINE(__LINE__) ": not " #cond;                                              \
	} while (0)

#define YEAR_2100 4102444800 /* seconds; does not fit 32 bits */

static const char *files(const char *directory)
{
	char path[4096];
	struct stat a, b, c, d;
	snprintf(path, sizeof path, "%s/time64-XXXXXX", directory);
	int fd = mkstemp(path);
	WANT(fd >= 0 && write(fd, "12345", 5) == 5);
	struct timespec later[2] = {{YEAR_2100, 7}, {1000000000, 999999999}};
	int result = futimens(fd, later);
	WANT(result == 0 && fstat(fd, &a) == 0 && stat(path, &b) == 0 && lstat(path, &c) == 0);
	WANT(fstatat(AT_FDCWD, path, &d, 0) == 0);
	WANT(a.st_size == 5 && S_ISREG(a.st_mode) && (a.st_mode & 0777) == 0600 && a.st_nlink == 1 && a.st_uid == getuid());
	WANT(a.st_atim.tv_sec == 1000000000 || sizeof(time_t) == 4 ||
	     (a.st_atim.tv_sec == (time_t)YEAR_2100 && a.st_atim.tv_nsec == 7));
	WANT(a.st_mtim.tv_sec == 1000000000 && a.st_mtim.tv_nsec == 999999999);
	const struct stat *all[] = {&b, &c, &d};
	for (int i = 0; i < 3; i++)
		WANT(all[i]->st_ino == a.st_ino && all[i]->st_dev == a.st_dev && all[i]->st_mode == a.st_mode &&
		     all[i]->st_blocks == a.st_blocks && all[i]->st_blksize == a.st_blksize &&
		     all[i]->st_atim.tv_sec == a.st_atim.tv_sec && all[i]->st_ctim.tv_nsec == a.st_ctim.tv_nsec);
	struct timeval micro[2] = {{5, 6}, {7, 8}}, bad[2] = {{5, 1000000}, {7, 8}};
	WANT(utimes(path, micro) == 0 && stat(path, &b) == 0 && b.st_mtim.tv_sec == 7 && b.st_mtim.tv_nsec == 8000);
	WANT(utimes(path, bad) == -1 && errno == EINVAL);
	WANT(utimensat(AT_FDCWD, path, (struct timespec[]){{0, UTIME_OMIT}, {9, 0}}, 0) == 0);
	WANT(stat(path, &b) == 0 && b.st_atim.tv_sec == 5 && b.st_mtim.tv_sec == 9);
	WANT(utime(path, &(struct utimbuf){11, 12}) == 0 && fstat(fd, &b) == 0 && b.st_atim.tv_sec == 11);
	WANT(fcntl(fd, F_GETFD) == 0 && fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}) == 0);
	glob_t found;
	WANT(glob(path, 0, NULL, &found) == 0 && found.gl_pathc == 1 && !strcmp(found.gl_pathv[0], path));
	globfree(&found);
	WANT(unlink(path) == 0 && stat(path, &b) == -1 && errno == ENOENT);
	WANT(close(fd) == 0 && fstat(fd, &b) == -1 && errno == EBADF && futimens(-1, later) == -1 && errno == EBADF);
	WANT(stat("/dev/null", &b) == 0 && S_ISCHR(b.st_mode) && b.st_rdev == 0x103);
	return NULL;
}

static const char *clocks(void)
{
	struct timespec a, b, left;
	struct timeval v;
	struct tm date;
	struct rusage used;
	char text[64];
	time_t now = time(NULL);
	WANT(clock_gettime(CLOCK_REALTIME, &a) == 0 && gettimeofday(&v, NULL) == 0);
	WANT(now > 1700000000 && a.tv_sec - now <= 1 && v.tv_sec - a.tv_sec <= 1 && v.tv_usec < 1000000);
	WANT(clock_gettime(CLOCK_MONOTONIC, &a) == 0 && nanosleep(&(struct timespec){0, 2000000}, &left) == 0);
	WANT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, NULL) == 0 && clock_gettime(CLOCK_MONOTONIC, &b) == 0);
	WANT((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >= 2000000);
	WANT(clock_gettime(12345, &a) == -1 && errno == EINVAL && clock_getres(CLOCK_REALTIME, &a) == 0 && a.tv_sec == 0);
	WANT(timespec_get(&a, TIME_UTC) == TIME_UTC && a.tv_sec - now <= 1);
	now = 1000000000;
	WANT(gmtime_r(&now, &date) && date.tm_year == 101 && date.tm_sec == 40 && timegm(&date) == now);
	WANT(localtime_r(&now, &date) && mktime(&date) == now && ctime_r(&now, text) && strstr(text, "2001"));
	WANT(difftime(now, now - 5) == 5);
	WANT(getrusage(RUSAGE_SELF, &used) == 0 && used.ru_maxrss > 0);
	pid_t child = fork();
	if (child == 0)
		_exit(7);
	int status;
	WANT(wait4(child, &status, 0, &used) == child && WEXITSTATUS(status) == 7 && used.ru_maxrss > 0);
	return NULL;
}

static const char *timers(void)
{
	struct itimerspec t = {{0, 0}, {0, 1000000}}, got;
	struct itimerval interval = {{0, 0}, {1000, 0}}, old;
	unsigned long long expired = 0;
	timer_t timer;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	WANT(fd >= 0 && timerfd_settime(fd, 0, &t, &got) == 0 && got.it_value.tv_sec == 0);
	WANT(read(fd, &expired, sizeof expired) == sizeof expired && expired == 1);
	WANT(timerfd_gettime(fd, &got) == 0 && got.it_value.tv_nsec == 0 && close(fd) == 0);
	t.it_value.tv_sec = 1000;
	WANT(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &timer) == 0);
	WANT(timer_settime(timer, 0, &t, NULL) == 0 && timer_gettime(timer, &got) == 0);
	WANT((got.it_value.tv_sec == 1000 || got.it_value.tv_sec == 999) && timer_delete(timer) == 0);
	WANT(setitimer(ITIMER_VIRTUAL, &interval, NULL) == 0 && getitimer(ITIMER_VIRTUAL, &old) == 0);
	WANT(old.it_value.tv_sec == 1000 || old.it_value.tv_sec == 999);
	WANT(setitimer(ITIMER_VIRTUAL, &(struct itimerval){0}, &old) == 0 && old.it_value.tv_sec >= 999);
	return NULL;
}

static const char *waits(void)
{
	int pair[2];
	fd_set set;
	char byte;
	struct timespec past = {1, 0}, soon = {0, 1000000}, far = {sizeof(time_t) == 8 ? (time_t)YEAR_2100 : 0x7fffffff, 0};
	struct timeval limit = {0, 30000}, got = {0}, none = {0};
	socklen_t size = sizeof got;
	WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	WANT(select(pair[0] + 1, &set, NULL, NULL, &none) == 0 && !FD_ISSET(pair[0], &set));
	WANT(ppoll(&(struct pollfd){pair[0], POLLIN, 0}, 1, &soon, NULL) == 0);
	WANT(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
	WANT(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size) == 0 && got.tv_sec == 0 && got.tv_usec >= 30000);
	WANT(got.tv_usec < 60000 && recv(pair[0], &byte, 1, 0) == -1 && errno == EAGAIN);
	WANT(write(pair[1], "x", 1) == 1);
	FD_SET(pair[0], &set);
	WANT(pselect(pair[0] + 1, &set, NULL, NULL, &far, NULL) == 1 && FD_ISSET(pair[0], &set));
	int waiting = 0;
	WANT(ioctl(pair[0], FIONREAD, &waiting) == 0 && waiting == 1);
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &(struct iovec){&byte, 1}, .msg_iovlen = 1}};
	WANT(recvmmsg(pair[0], &message, 1, 0, &(struct timespec){1, 0}) == 1 && byte == 'x');
	int epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};
	WANT(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event) == 0);
#ifdef EPOLL_IOC_TYPE /* a header that has epoll_pwait2 */
	WANT(epoll_pwait2(epoll, &event, 1, &soon, NULL) == 0);
#endif
	WANT(close(epoll) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	WANT(sigtimedwait(&signals, NULL, &soon) == -1 && errno == EAGAIN);
	int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	WANT(segment >= 0 && shmctl(segment, IPC_RMID, NULL) == 0);
	char name[16] = "";
	WANT(prctl(PR_GET_NAME, name) == 0 && name[0]);

	sem_t semaphore;
	WANT(sem_init(&semaphore, 0, 1) == 0 && sem_timedwait(&semaphore, &far) == 0);
	WANT(sem_timedwait(&semaphore, &past) == -1 && errno == ETIMEDOUT);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	WANT(pthread_mutex_timedlock(&mutex, &far) == 0 && pthread_mutex_timedlock(&mutex, &past) == ETIMEDOUT);
	WANT(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &(struct timespec){0, 1}) == ETIMEDOUT);
	WANT(pthread_cond_timedwait(&cond, &mutex, &past) == ETIMEDOUT);
	WANT(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &(struct timespec){0, 1}) == ETIMEDOUT);
	WANT(pthread_mutex_unlock(&mutex) == 0);
	WANT(pthread_rwlock_timedwrlock(&lock, &far) == 0 && pthread_rwlock_timedrdlock(&lock, &past) != 0);
	WANT(thrd_sleep(&soon, NULL) == 0);
	return NULL;
}

const char *abi_time64(const char *directory)
{
	const char *wrong = files(directory);
	wrong = wrong ? wrong : clocks();
	wrong = wrong ? wrong : timers();
	return wrong ? wrong : waits();
}
