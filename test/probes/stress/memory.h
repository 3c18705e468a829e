/* What the process has of memory to itself. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdio.h>

/* Private_Clean + Private_Dirty of /proc/self/smaps_rollup (proc(5), since Linux 4.14), in KiB; -1 without it. */
static long private_kib(void)
{
	char line[256];
	long sum = 0, n;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "Private_Clean: %ld", &n) == 1 || sscanf(line, "Private_Dirty: %ld", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

/* How many mappings the process has. */
static long mappings(void)
{
	long n = 0;
	int c;
	FILE *f = fopen("/proc/self/maps", "r");
	if (!f)
		return -1;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}
#endif
