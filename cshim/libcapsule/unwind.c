/* Unwinding across the boundary. The process has two unwinders, the runtime's libgcc_s and the host's, and a stack
 * may have frames of both sides: pthread_exit (the runtime's) below a driver's frames, an exception thrown by the
 * game's callback. Two things keep them from each other's frames:
 *
 * - Personality routines call their own libgcc_s with a context that the other one made. The context's layout is
 *   the same (libgcc/unwind-dw2.c: unchanged on x86-64 since GCC 4.3; on aarch64 GCC 10 and 14 take each other's), but
 *   _Unwind_SetGR asserts a table which is only filled when that copy has unwound something: so each copy is made
 *   to, once.
 * - Before glibc 2.35 there is no _dl_find_object, and libgcc_s finds frames by dl_iterate_phdr, which reports the
 *   caller's namespace only. The runtime's libgcc_s is led to one that reports both. Registering the frames
 *   instead (__register_frame_info) would make the first exception sort all of LLVM's.
 */
#include "libcapsule.h"

#include <elf.h>
#include <string.h>

#include "arch.h"

#define UNWIND_END_OF_STACK 5 /* _URC_END_OF_STACK, Itanium C++ ABI, 1.6 */

static int stop(void *context, void *data)
{
    (void)context;
    (void)data;
    return UNWIND_END_OF_STACK;
}

void unwinder_prepare(void *libgcc)
{
    int (*backtrace)(int (*)(void *, void *), void *) =
        (int (*)(int (*)(void *, void *), void *))dlsym(libgcc, "_Unwind_Backtrace");
    if (backtrace)
        backtrace(stop, NULL);
}

static int iterate_both(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    int result = iterate_base(callback, data);
    return result ? result : iterate_capsule(callback, data);
}

struct sealed_search {
    const struct link_map *map;
    struct sealed area;
};

static int find_sealed(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct sealed_search *search = data;
    if (!describes(info, search->map))
        return 0;
    search->area = sealed_in(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    return 1;
}

/* The word may be read-only by now (PT_GNU_RELRO with BIND_NOW), and is again. Where functions are
 * bound when they are first called it is not, and stays as ld.so has it. */
static void overwrite(ElfW(Addr) *word, ElfW(Addr) value, struct sealed area)
{
    bool sealed = (ElfW(Addr))word >= area.start && (ElfW(Addr))word < area.end;
    if (*word == value || (sealed && !sealed_open(area)))
        return;
    *word = value;
    if (sealed)
        sealed_close(area);
}

/* Replaces the address of a function that an object imports. */
static void redirect(const struct link_map *map, const char *name, ElfW(Addr) target)
{
    struct sealed_search search = {map, {0, 0}};
    iterate_base(find_sealed, &search);
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    const arch_rel *tables[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        const void *address = (const void *)d->d_un.d_ptr;
        if (d->d_tag == DT_SYMTAB)
            symbols = address;
        else if (d->d_tag == DT_STRTAB)
            names = address;
        else if (d->d_tag == DT_JMPREL)
            tables[0] = address;
        else if (d->d_tag == DT_PLTRELSZ)
            sizes[0] = d->d_un.d_val;
        else if (d->d_tag == ARCH_DT_REL)
            tables[1] = address;
        else if (d->d_tag == ARCH_DT_RELSZ)
            sizes[1] = d->d_un.d_val;
    }
    if (!symbols || !names)
        return;
    for (int t = 0; t < 2; t++) {
        size_t count = tables[t] ? sizes[t] / sizeof *tables[t] : 0;
        for (size_t i = 0; i < count; i++) {
            const arch_rel *rel = &tables[t][i];
            unsigned type = ARCH_R_TYPE(rel->r_info);
            if ((type == ARCH_R_JUMP_SLOT || type == ARCH_R_GLOB_DAT) &&
                !strcmp(names + symbols[ARCH_R_SYM(rel->r_info)].st_name, name))
                overwrite((ElfW(Addr) *)(map->l_addr + rel->r_offset), target, search.area);
        }
    }
}

/* On old ports (i386) libc has libgcc's _Unwind_Find_FDE too, from the time before libgcc_s (sysdeps/generic/
 * unwind-dw2-fde-glibc.c), and libgcc_s is bound to it where libc comes first in the program's search order. That
 * copy sees the base namespace alone, with every glibc, but only it knows the frames that were registered with it. */
typedef void *find_fde_function(void *pc, void *bases);
static SEALED find_fde_function *libgcc_find_fde, *libc_find_fde;

static void *find_fde(void *pc, void *bases)
{
    void *fde = libgcc_find_fde(pc, bases);
    return fde ? fde : libc_find_fde(pc, bases);
}

static find_fde_function *find_fde_of(void *library)
{
    return library ? (find_fde_function *)dlsym(library, "_Unwind_Find_FDE") : NULL;
}

void unwinder_bring_up(void)
{
    bool by_iteration = !dlsym(RTLD_DEFAULT, "_dl_find_object");
    libc_find_fde = find_fde_of(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD));
    /* pthread_exit would open it later and behind our back, so where something is to be changed it is opened now. */
    void *libgcc = dlopen("libgcc_s.so.1", RTLD_LAZY | (by_iteration || libc_find_fde ? 0 : RTLD_NOLOAD));
    if (!libgcc)
        return;
    struct link_map *map = NULL;
    if (!dlinfo(libgcc, RTLD_DI_LINKMAP, &map) && map) {
        if (by_iteration)
            redirect(map, "dl_iterate_phdr", (ElfW(Addr))iterate_both);
        libgcc_find_fde = find_fde_of(libgcc);
        if (libc_find_fde && libgcc_find_fde && libgcc_find_fde != libc_find_fde)
            redirect(map, "_Unwind_Find_FDE", (ElfW(Addr))find_fde);
    }
    unwinder_prepare(libgcc);
}
