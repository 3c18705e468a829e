/*
 * sealed DIRECTORY LIBRARY…: opens the libraries, and looks at what is mapped from files below DIRECTORY/lib and
 * DIRECTORY/proxy, which are the capsule's own: writable memory must hold no address of code, and what holds such is
 * guarded against writes. Prints a line for each address that is found, then how many objects there were, and how many were
 * written to in vain.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct mapping {
	uintptr_t start, end;
	char rights[5], file[300];
};

static struct mapping all[4000];
static int count;

static void read_maps(void)
{
	char line[5000];
	FILE *f = fopen("/proc/self/maps", "r");
	for (count = 0; f && count < 4000 && fgets(line, sizeof line, f);) {
		struct mapping *m = &all[count];
		unsigned long start, end;
		m->file[0] = 0;
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %299s", &start, &end, m->rights, m->file) < 3)
			continue;
		m->start = start, m->end = end;
		count++;
	}
	if (f)
		fclose(f);
}

static int ours(const struct mapping *m, const char *dir)
{
	size_t n = strlen(dir);
	return !strncmp(m->file, dir, n) && (!strncmp(m->file + n, "/lib/", 5) || !strncmp(m->file + n, "/proxy/", 7));
}

/* Link editors for aarch64 put constants beside the code: a text of three letters and more is none. */
static int is_text(const char *at)
{
	size_t n = 0;
	while (at[n] > ' ' && at[n] < 127)
		n++;
	return n > 2 && !at[n];
}

static int is_code(uintptr_t address)
{
	for (int i = 0; i < count; i++)
		if (address >= all[i].start && address < all[i].end)
			return all[i].rights[2] == 'x' && !is_text((const char *)address);
	return 0;
}

/* Where an object's memory ends, by its program headers; it is linked to address 0. */
static uintptr_t end_of(uintptr_t start)
{
	const ElfW(Ehdr) *header = (const void *)start;
	const ElfW(Phdr) *phdr = (const void *)(start + header->e_phoff);
	uintptr_t end = 0;
	for (int i = 0; i < header->e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD)
			end = start + phdr[i].p_vaddr + phdr[i].p_memsz;
	return end;
}

static void look(const struct mapping *m, uintptr_t end, const char *file)
{
	for (const uintptr_t *word = (const uintptr_t *)m->start; (uintptr_t)word < m->end && (uintptr_t)word < end; word++)
		if (is_code(*word))
			printf("writable: %s+%#lx holds %#lx\n", file, (unsigned long)((uintptr_t)word - m->start), (unsigned long)*word);
}

/* Whether a write kills. */
static int guarded(uintptr_t address)
{
	int status = 0;
	pid_t child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile uintptr_t *)address = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

int main(int argc, char **argv)
{
	int objects = 0, tables = 0, in_vain = 0;
	uintptr_t end = 0;
	for (int i = 2; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW)) {
			printf("%s\n", dlerror());
			return 1;
		}
	read_maps();
	for (int i = 0; i < count; i++) {
		int part = ours(&all[i], argv[1]), first = part && (i == 0 || strcmp(all[i - 1].file, all[i].file));
		/* what follows a file's last part without a gap may be its zeroed data */
		int zeroed = !part && !all[i].file[0] && i > 0 && ours(&all[i - 1], argv[1]) && all[i - 1].end == all[i].start;
		if (part && strstr(all[i].file, "capsule.manifest"))
			continue;
		objects += first;
		if (first)
			end = end_of(all[i].start);
		if (all[i].rights[1] == 'w' && (part || zeroed))
			look(&all[i], part ? all[i].end : end, part ? all[i].file : all[i - 1].file);
		/* read-only behind the code: the tables of stubs and proxies, RELRO of the others */
		for (int code = i - 1; part && all[i].rights[1] != 'w' && all[i].rights[2] != 'x' && code >= 0 &&
				       !strcmp(all[code].file, all[i].file);
		     code--)
			if (all[code].rights[2] == 'x') {
				tables++;
				in_vain += guarded(all[i].start);
				break;
			}
	}
	printf("%d objects, %d tables, %d written to in vain\n", objects, tables, in_vain);
	return 0;
}
