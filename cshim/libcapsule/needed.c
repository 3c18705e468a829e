/* A library that the plan does not know (a Vulkan layer in the user's home, a plug-in) is loaded by its path, but what
 * it needs must not be searched by ld.so: libstdc++.so.6 would be the runtime's, a second copy of a library that
 * belongs to the other side. So its DT_NEEDED are read from the file first, and those that the plan knows are opened.
 * The bytes are anybody's: every offset is checked against the file's size, and read with pread. */
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
    ElfW(Phdr) phdrs[MAX_PHDRS];
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
    return read_at(file->fd, file->phdrs, header.e_phnum * sizeof(ElfW(Phdr)), header.e_phoff);
}

/* The file offset of a virtual address; UINT64_MAX where no segment has it. */
static uint64_t offset_of(const struct file *file, ElfW(Addr) address)
{
    for (int i = 0; i < file->phdr_count; i++) {
        const ElfW(Phdr) *phdr = &file->phdrs[i];
        if (phdr->p_type == PT_LOAD && address - phdr->p_vaddr < phdr->p_filesz && address >= phdr->p_vaddr)
            return (uint64_t)phdr->p_offset + (address - phdr->p_vaddr);
    }
    return UINT64_MAX;
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

void open_needed(const char *path)
{
    struct file file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0)
        return; /* dlmopen says what is wrong with it */
    ElfW(Dyn) dynamic[MAX_DYNAMIC];
    size_t count = 0;
    uint64_t names = UINT64_MAX;
    if (read_headers(&file))
        for (int i = 0; i < file.phdr_count; i++)
            if (file.phdrs[i].p_type == PT_DYNAMIC) {
                count = file.phdrs[i].p_filesz / sizeof *dynamic;
                count = count < MAX_DYNAMIC ? count : MAX_DYNAMIC;
                if (!read_at(file.fd, dynamic, count * sizeof *dynamic, file.phdrs[i].p_offset))
                    count = 0;
            }
    for (size_t i = 0; i < count && dynamic[i].d_tag != DT_NULL; i++)
        if (dynamic[i].d_tag == DT_STRTAB)
            names = offset_of(&file, dynamic[i].d_un.d_ptr);
    for (size_t i = 0; names != UINT64_MAX && i < count && dynamic[i].d_tag != DT_NULL; i++) {
        char name[MAX_NAME];
        if (dynamic[i].d_tag != DT_NEEDED)
            continue;
        ssize_t n = pread(file.fd, name, sizeof name - 1, (off_t)(names + dynamic[i].d_un.d_val));
        if (n <= 0 || !memchr(name, 0, (size_t)n))
            continue;
        open_by_name(name);
    }
    close(file.fd);
}
