/* Loads the capsule root into a namespace of its own, fills its imports as libcapsule's bring-up does, and has every
 * theme judge its polyfills. One line per polyfill that was judged, one per failed statement, "done" at the end.
 *
 * The driver runs under every glibc from the architecture's first: it is linked against symbols of the base version
 * only, and has its own _start, because the one of a newer gcc asks for a newer __libc_start_main. */
#include "driver.h"

#include <dlfcn.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "root_abi.h"

bool is_polyfill;
char *self;

static void *root;
static const char *current;
static int failures;

void *runtime(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

void expect(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    failures++;
    printf("FAIL %s (%s) %s:%d: %s\n", current, is_polyfill ? "polyfill" : "runtime", file, line, what);
}

void expect_equal(long long got, long long want, const char *what, const char *file, int line)
{
    char text[300];
    if (got == want)
        return;
    snprintf(text, sizeof text, "%s is %lld, want %lld", what, got, want);
    expect(false, text, file, line);
}

void check_polyfill(const char *name, check_function *judge)
{
    char symbol[100];
    snprintf(symbol, sizeof symbol, "polyfill$%s", name);
    void *polyfill = dlsym(root, symbol);
    current = name;
    is_polyfill = true;
    if (!polyfill) {
        expect(false, "there is no such polyfill", __FILE__, __LINE__);
        return;
    }
    judge(polyfill);
    printf("judged %s\n", name);
    fflush(NULL);
}

void check_runtime(const char *name, check_function *judge)
{
    void *native = runtime(name);
    current = name;
    is_polyfill = false;
    if (!native)
        return;
    judge(native);
    printf("compared %s\n", name);
    fflush(NULL);
}

void check(const char *name, check_function *judge)
{
    check_polyfill(name, judge);
    check_runtime(name, judge);
}

void *in_root(const char *symbol)
{
    return dlsym(root, symbol);
}

int status_of(void (*function)(void *), void *argument)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        close(STDERR_FILENO);
        int before = failures;
        function(argument);
        fflush(NULL);
        _exit(failures > before);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

bool take_away(int system_call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)system_call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

struct timespec in_ms(int clock, long ms)
{
    struct timespec t;
    RT(clock_gettime)(clock, &t);
    long long ns = t.tv_nsec + ms % 1000 * 1000000LL;
    t.tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
    t.tv_nsec = (ns + 1000000000) % 1000000000;
    return t;
}

long ms_since(int clock, const struct timespec *then)
{
    struct timespec now;
    RT(clock_gettime)(clock, &now);
    return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

/* libcapsule's part in the real thing (cshim/libcapsule/bringup.c): here there are no proxies, so a library that a
 * polyfill wants late is the runtime's own. */
static void *open_library(const char *file, int mode, const void *caller __attribute__((unused)))
{
    return dlopen(file, mode);
}

static void *lookup_global(const char *name, const char *version)
{
    return version ? dlvsym(RTLD_DEFAULT, name, version) : dlsym(RTLD_DEFAULT, name);
}

static int iterate_base(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
    return dl_iterate_phdr(callback, data);
}

/* What libcapsule makes writable while it fills it (cshim/libcapsule/sealed.c): the root's
 * PT_GNU_RELRO. */
static void protect_tables(int protection)
{
    ElfW(Addr) bias = ((const struct link_map *)root)->l_addr, page = (ElfW(Addr))sysconf(_SC_PAGESIZE);
    const ElfW(Ehdr) *header = (const void *)bias;
    const ElfW(Phdr) *phdr = (const void *)(bias + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++)
        if (phdr[i].p_type == PT_GNU_RELRO) {
            ElfW(Addr) start = (bias + phdr[i].p_vaddr) & -page, end = (bias + phdr[i].p_vaddr + phdr[i].p_memsz) & -page;
            mprotect((void *)start, end - start, protection);
        }
}

static bool load(const char *path)
{
    static struct capsule_base base = {.open = open_library, .lookup_global = lookup_global,
                                       .iterate_base = iterate_base};
    root = dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
    struct capsule_root_interface *interface = root ? dlsym(root, "capsule_root") : NULL;
    if (!interface) {
        printf("FAIL %s cannot be loaded: %s\n", path, dlerror());
        return false;
    }
    base.global_handle = root;
    protect_tables(PROT_READ | PROT_WRITE);
    for (const struct capsule_import *i = interface->imports; i < interface->imports_end; i++)
        *i->slot = dlsym(RTLD_DEFAULT, i->name);
    interface->base = &base;
    protect_tables(PROT_READ);
    return true;
}

static const struct {
    const char *name;
    void (*check)(void);
} themes[] = {
    {"strtol", check_strtol}, {"scanf", check_scanf},     {"bits", check_bits},   {"text", check_text},
    {"uchar", check_uchar},   {"library", check_library}, {"resolver", check_resolver}, {"waits", check_waits},
    {"threads", check_threads}, {"linux", check_linux},   {"mounts", check_mounts}, {"process", check_process},
    {"spawn", check_spawn},
};

static bool is_left_out(const char *name, char **names)
{
    while (*names && strcmp(*names, name))
        names++;
    return *names;
}

/* driver ROOT [THEME…]: all themes but those. */
static int run(int argc, char **argv)
{
    static char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    self = size > 0 ? path : argv[0];
    if (argc > 1 && argv[1][0] != '/')
        return helper(argc, argv);
    if (argc < 2 || !load(argv[1]))
        return 2;
    printf("runtime glibc %s\n", ((const char *(*)(void))runtime("gnu_get_libc_version"))());
    for (size_t i = 0; i < sizeof themes / sizeof themes[0]; i++)
        if (!is_left_out(themes[i].name, argv + 2))
            themes[i].check();
    printf("done, %d failed\n", failures);
    return failures > 0;
}

int __libc_start_main(int (*)(int, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static int main_function(int argc, char **argv)
{
    exit(run(argc, argv));
}

/* The kernel's stack: argc, argv…, NULL (psABI). rdx, x0: ld.so's function for atexit. */
__attribute__((used)) static void start(long *stack, void (*finish)(void))
{
    __libc_start_main(main_function, (int)stack[0], (char **)(stack + 1), NULL, NULL, finish, stack);
}

#ifdef __x86_64__
__asm__(".globl _start\n_start: xorl %ebp, %ebp\n movq %rsp, %rdi\n movq %rdx, %rsi\n andq $-16, %rsp\n call start\n hlt\n");
#elif defined __aarch64__
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x1, x0\n mov x0, sp\n bl start\n brk #0\n");
#endif
