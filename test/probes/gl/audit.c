/*
 * audit.so: an auditor (rtld-audit(7)), as tracers bring by LD_AUDIT. It lets everything pass, and says at the first object
 * of a driver's, which is in another namespace than the program, that it has seen it.
 */
#define _GNU_SOURCE
#include <link.h>
#include <string.h>
#include <unistd.h>

unsigned la_version(unsigned offered)
{
	return offered < LAV_CURRENT ? offered : LAV_CURRENT;
}

unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie)
{
	static const char text[] = "the auditor has seen the capsule\n";
	static int seen;
	if (namespace != LM_ID_BASE && strstr(map->l_name, "/host/") && !seen++)
		write(STDERR_FILENO, text, sizeof text - 1);
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

#if __ELF_NATIVE_CLASS == 64
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags, const char *name)
#else
uintptr_t la_symbind32(Elf32_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags, const char *name)
#endif
{
	return symbol->st_value;
}
