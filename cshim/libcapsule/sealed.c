/* What is written once and then only read: addresses in stubs and proxies, the tables of libcapsule
 * and of the capsule root. An error of the program's that writes to memory shall not find the
 * address of a function there.
 *
 * Stubs and proxies are sealed at the end of their DT_INIT, when nobody else has them yet. The
 * tables lie in PT_GNU_RELRO (SEALED), which ld.so makes read-only before any code of ours runs:
 * they are opened for the moments in which they are filled, under ld.so's lock or in the
 * constructor, so never by two threads at once; who only reads sees no difference. */
#include "libcapsule.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void dso_seal(struct capsule_dso *dso)
{
    size_t page = page_size();
    if ((ElfW(Addr))dso % page || mprotect(dso, ((size_t)dso->size + page - 1) & ~(page - 1), PROT_READ))
        debug("what a stub or proxy holds stays writable");
}

/* As ld.so does it (elf/dl-reloc.c, _dl_protect_relro): the page in which it ends is not
 * protected. */
struct sealed sealed_in(ElfW(Addr) bias, const ElfW(Phdr) *phdrs, unsigned count)
{
    ElfW(Addr) mask = ~((ElfW(Addr))page_size() - 1);
    for (unsigned i = 0; i < count; i++)
        if (phdrs[i].p_type == PT_GNU_RELRO)
            return (struct sealed){(bias + phdrs[i].p_vaddr) & mask, (bias + phdrs[i].p_vaddr + phdrs[i].p_memsz) & mask};
    return (struct sealed){0, 0};
}

struct sealed sealed_of_ours(const void *header)
{
    const ElfW(Ehdr) *ehdr = header;
    return sealed_in((ElfW(Addr))header, (const void *)((const char *)header + ehdr->e_phoff), ehdr->e_phnum);
}

static bool protect(struct sealed area, int protection)
{
    return area.start >= area.end || !mprotect((void *)area.start, area.end - area.start, protection);
}

bool sealed_open(struct sealed area)
{
    return protect(area, PROT_READ | PROT_WRITE);
}

void sealed_close(struct sealed area)
{
    if (!protect(area, PROT_READ))
        debug("the capsule's tables stay writable");
}
