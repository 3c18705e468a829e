/* Times open and close, and stat, of a path: the same code in the program, where they are the runtime's, and in a library of
 * the host, where they are the capsule root's wrappers. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* processor time in ns per turn; kind 0 opens and closes, 1 asks by stat */
static double open_cost(const char *path, int turns, int kind)
{
	struct timespec from, to;
	struct stat st;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (int i = 0; i < turns; i++) {
		if (kind)
			stat(path, &st);
		else
			close(open(path, O_RDONLY));
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / turns;
}
