/* A library that the plan does not know (a Vulkan layer in the user's home, a plug-in) is loaded by
 * its path, but what it needs must not be searched by ld.so: libstdc++.so.6 would be the runtime's,
 * a second copy of a library that belongs to the other side. So its DT_NEEDED are read from the
 * file first, and those that the plan knows are opened. The bytes are anybody's: every offset is
 * checked against the file's size, and read with pread, a little at a time, for the stack may be a
 * small thread's. */
#include "libcapsule.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"

#define MAX_PHDRS 64
#define MAX_DYNAMIC 512
#define MAX_NAME 256

struct file {
    int fd;
    uint64_t phdrs; /* offset */
    int phdr_count;
};

static bool read_at(int fd, void *to, size_t size, uint64_t at)
{
    return at < INT64_MAX && pread(fd, to, size, (off_t)at) == (ssize_t)size;
}

static bool read_headers(struct file *file)
{
    ElfW(Ehdr) header;
    if (!read_at(file->fd, &header, sizeof header, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
        header.e_ident[EI_CLASS] != ARCH_ELF_CLASS || header.e_machine != ARCH_ELF_MACHINE ||
        header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phnum > MAX_PHDRS)
        return false;
    file->phdr_count = header.e_phnum;
    file->phdrs = header.e_phoff;
    return true;
}

static bool read_phdr(const struct file *file, int index, ElfW(Phdr) *to)
{
    return read_at(file->fd, to, sizeof *to, file->phdrs + (uint64_t)index * sizeof *to);
}

/* The file offset of a virtual address; UINT64_MAX where no segment has it. */
static uint64_t offset_of(const struct file *file, ElfW(Addr) address)
{
    ElfW(Phdr) phdr;
    for (int i = 0; i < file->phdr_count && read_phdr(file, i, &phdr); i++)
        if (phdr.p_type == PT_LOAD && address - phdr.p_vaddr < phdr.p_filesz && address >= phdr.p_vaddr)
            return (uint64_t)phdr.p_offset + (address - phdr.p_vaddr);
    return UINT64_MAX;
}

/* The dynamic section's next entry with a tag, from *entry on, which is moved behind it. */
static bool next_with(const struct file *file, const ElfW(Phdr) *dynamic, ElfW(Sxword) tag, uint64_t *entry, uint64_t *value)
{
    ElfW(Dyn) some[16];
    while (*entry < MAX_DYNAMIC && *entry < dynamic->p_filesz / sizeof *some) {
        uint64_t left = dynamic->p_filesz / sizeof *some - *entry;
        size_t count = left < sizeof some / sizeof *some ? (size_t)left : sizeof some / sizeof *some;
        if (!read_at(file->fd, some, count * sizeof *some, dynamic->p_offset + *entry * sizeof *some))
            return false;
        for (size_t i = 0; i < count; i++, ++*entry) {
            if (some[i].d_tag == DT_NULL)
                return false;
            if (some[i].d_tag != tag)
                continue;
            ++*entry;
            *value = some[i].d_un.d_val;
            return true;
        }
    }
    return false;
}

static void open_by_name(const char *name)
{
    uint32_t index = manifest_find_soname(name, CAPSULE_PROXY);
    if (index == UINT32_MAX)
        index = manifest_find_soname(name, CAPSULE_HOST);
    if (index == UINT32_MAX)
        index = manifest_find_file_name(name); /* what an alias of that name leads to */
    if (index != UINT32_MAX)
        object_open(index);
}

/* Apart: what is opened may need more, and the name is not needed for that. */
static void open_named(const struct file *file, uint64_t at)
{
    char name[MAX_NAME];
    ssize_t n = at < INT64_MAX ? pread(file->fd, name, sizeof name - 1, (off_t)at) : 0;
    if (n > 0 && memchr(name, 0, (size_t)n))
        open_by_name(name);
}

void open_needed(const char *path)
{
    struct file file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0)
        return; /* dlmopen says what is wrong with it */
    ElfW(Phdr) phdr, dynamic = {0};
    if (read_headers(&file))
        for (int i = 0; i < file.phdr_count && read_phdr(&file, i, &phdr); i++)
            if (phdr.p_type == PT_DYNAMIC)
                dynamic = phdr;
    uint64_t entry = 0, names = UINT64_MAX, value;
    if (next_with(&file, &dynamic, DT_STRTAB, &entry, &value))
        names = offset_of(&file, (ElfW(Addr))value);
    for (entry = 0; names != UINT64_MAX && next_with(&file, &dynamic, DT_NEEDED, &entry, &value);)
        open_named(&file, names + value);
    close(file.fd);
}
