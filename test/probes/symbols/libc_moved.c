/* libc: what moved from libdl, librt, libanl, libutil and libresolv in 2.34, and ld.so's. */
#include <aio.h>
#include <arpa/nameser.h>
#include <fcntl.h>
#include <link.h>
#include <mqueue.h>
#include <netdb.h>
#include <pty.h>
#include <resolv.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "symbols.h"

/* The loader. */
VALUE(dlopen, dlopen("libm.so.6", RTLD_LAZY) != NULL)
VALUE(dlclose, dlclose(dlopen("libm.so.6", RTLD_LAZY)))
VALUE(dlsym, dlsym(dlopen("libm.so.6", RTLD_LAZY), "cos") != NULL)
VALUE(dlvsym, dlvsym(dlopen("libm.so.6", RTLD_LAZY), "cos", BASE_VERSION) != NULL)
SYMBOL(dlerror)
{
    dlerror();
    SHOW(dlsym(RTLD_DEFAULT, "capsule_absent") == NULL);
    const char *text = dlerror();
    SHOW(text && strstr(text, "capsule_absent"));
    SHOW(dlerror() == NULL);
}
SYMBOL(dladdr)
{
    Dl_info info = {0};
    SHOW(dladdr((void *)run_dlerror, &info) != 0);
    const char *slash = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    TEXT(slash ? slash + 1 : "?");
}
SYMBOL(dladdr1)
{
    Dl_info info = {0};
    struct link_map *map = NULL;
    SHOW(dladdr1((void *)run_dlerror, &info, (void **)&map, RTLD_DL_LINKMAP) != 0);
    SHOW(map && map->l_addr == (ElfW(Addr))info.dli_fbase);
}
SYMBOL(dlinfo)
{
    struct link_map *map = NULL;
    SHOW(dlinfo(dlopen("libm.so.6", RTLD_LAZY), RTLD_DI_LINKMAP, &map));
    SHOW(map && map->l_ld);
}
SYMBOL(_dl_find_object)
{
    struct dl_find_object found;
    SHOW(_dl_find_object((void *)run_dlerror, &found));
    SHOW((char *)found.dlfo_map_start <= (char *)run_dlerror && (char *)run_dlerror < (char *)found.dlfo_map_end);
    SHOW(_dl_find_object((void *)16, &found));
}
SYMBOL(__libc_single_threaded)
{
    SHOW(__libc_single_threaded == 0 || __libc_single_threaded == 1);
}

/* Asynchronous input and output. */
#define AIO(suffix)                                                                                    \
    static struct aiocb##suffix *request##suffix(void)                                                 \
    {                                                                                                  \
        static struct aiocb##suffix a;                                                                 \
        static char text[10] = "abcdefgh";                                                             \
        a.aio_fildes = fileno(tmpfile());                                                              \
        a.aio_buf = text;                                                                              \
        a.aio_nbytes = 5;                                                                              \
        a.aio_sigevent.sigev_notify = SIGEV_NONE;                                                      \
        return &a;                                                                                     \
    }                                                                                                  \
    static void finish##suffix(struct aiocb##suffix *a)                                                \
    {                                                                                                  \
        const struct aiocb##suffix *list[] = {a};                                                      \
        while (aio_error##suffix(a) == EINPROGRESS)                                                    \
            aio_suspend##suffix(list, 1, NULL);                                                        \
    }                                                                                                  \
    SYMBOL(aio_write##suffix)                                                                          \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        SHOW(aio_write##suffix(a));                                                                    \
        finish##suffix(a);                                                                             \
        SHOW(aio_return##suffix(a));                                                                   \
    }                                                                                                  \
    SYMBOL(aio_read##suffix)                                                                           \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        SHOW(pwrite(a->aio_fildes, "xyz", 3, 0));                                                      \
        SHOW(aio_read##suffix(a));                                                                     \
        finish##suffix(a);                                                                             \
        SHOW(aio_return##suffix(a));                                                                   \
        TEXT((char *)a->aio_buf);                                                                      \
    }                                                                                                  \
    SYMBOL(aio_return##suffix)                                                                         \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        aio_write##suffix(a);                                                                          \
        finish##suffix(a);                                                                             \
        SHOW(aio_return##suffix(a));                                                                   \
    }                                                                                                  \
    SYMBOL(aio_error##suffix)                                                                          \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        a->aio_fildes = -1;                                                                            \
        aio_write##suffix(a);                                                                          \
        finish##suffix(a);                                                                             \
        SHOW(aio_error##suffix(a));                                                                    \
    }                                                                                                  \
    SYMBOL(aio_fsync##suffix)                                                                          \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        SHOW(aio_fsync##suffix(O_SYNC, a));                                                            \
        finish##suffix(a);                                                                             \
        SHOW(aio_fsync##suffix(77, a));                                                                \
    }                                                                                                  \
    SYMBOL(aio_suspend##suffix)                                                                        \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        aio_write##suffix(a);                                                                          \
        const struct aiocb##suffix *list[] = {a};                                                      \
        SHOW(aio_suspend##suffix(list, 1, NULL));                                                      \
    }                                                                                                  \
    SYMBOL(aio_cancel##suffix)                                                                         \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix();                                                   \
        aio_write##suffix(a);                                                                          \
        finish##suffix(a);                                                                             \
        SHOW(aio_cancel##suffix(a->aio_fildes, a) == AIO_ALLDONE);                                     \
        SHOW(aio_cancel##suffix(-1, NULL));                                                            \
    }                                                                                                  \
    SYMBOL(lio_listio##suffix)                                                                         \
    {                                                                                                  \
        struct aiocb##suffix *a = request##suffix(), *list[] = {a};                                    \
        a->aio_lio_opcode = LIO_WRITE;                                                                 \
        SHOW(lio_listio##suffix(LIO_WAIT, list, 1, NULL));                                             \
        SHOW(aio_return##suffix(a));                                                                   \
        SHOW(lio_listio##suffix(77, list, 1, NULL));                                                   \
    }
AIO()
AIO(64)
SYMBOL(aio_init)
{
    struct aioinit a = {.aio_threads = 2, .aio_num = 4};
    aio_init(&a);
}

/* Message queues, which need not be there: the kernel's answer is the same for both. */
VALUE(mq_open, mq_open("/capsule-absent", O_RDONLY))
VALUE(mq_close, mq_close(-1))
VALUE(mq_unlink, mq_unlink("/capsule-absent"))
VALUE(mq_getattr, mq_getattr(-1, &(struct mq_attr){0}))
VALUE(mq_setattr, mq_setattr(-1, &(struct mq_attr){0}, NULL))
VALUE(mq_notify, mq_notify(-1, NULL))
VALUE(mq_send, mq_send(-1, "x", 1, 0))
VALUE(mq_timedsend, mq_timedsend(-1, "x", 1, 0, &(struct timespec){0}))
VALUE(mq_receive, mq_receive(-1, (char[10]){0}, 10, NULL))
VALUE(mq_timedreceive, mq_timedreceive(-1, (char[10]){0}, 10, NULL, &(struct timespec){0}))
mqd_t __mq_open_2(const char *, int);
VALUE(__mq_open_2, __mq_open_2("/capsule-absent", O_RDONLY))
VALUE(shm_open, shm_open("/capsule-absent", O_RDONLY, 0))
VALUE(shm_unlink, shm_unlink("/capsule-absent"))

/* Timers. */
#define TIMER                                                          \
    timer_t t;                                                         \
    struct itimerspec s = {.it_value.tv_sec = 100}, got = {0};         \
    struct sigevent quiet = {.sigev_notify = SIGEV_NONE};              \
    SHOW(timer_create(CLOCK_MONOTONIC, &quiet, &t));                   \
    (void)s, (void)got
SYMBOL(timer_create)
{
    TIMER;
    SHOW(timer_create(9999, &quiet, &t));
}
SYMBOL(timer_delete)
{
    TIMER;
    SHOW(timer_delete(t));
}
SYMBOL(timer_settime)
{
    TIMER;
    SHOW(timer_settime(t, 0, &s, &got));
    SHOW(got.it_value.tv_sec);
}
SYMBOL(timer_gettime)
{
    TIMER;
    timer_settime(t, 0, &s, NULL);
    SHOW(timer_gettime(t, &got));
    SHOW(got.it_value.tv_sec >= 90);
}
SYMBOL(timer_getoverrun)
{
    TIMER;
    SHOW(timer_getoverrun(t));
}
SYMBOL(timespec_getres)
{
    struct timespec r;
    SHOW(timespec_getres(&r, TIME_UTC));
    SHOW(r.tv_nsec);
    RESULT(timespec_getres(&r, 77));
}

/* Names without a network: what a library can tell by itself. */
SYMBOL(getaddrinfo_a)
{
    struct gaicb g = {.ar_name = "127.0.0.1", .ar_request = &(struct addrinfo){.ai_flags = AI_NUMERICHOST}}, *list[] = {&g};
    SHOW(getaddrinfo_a(GAI_WAIT, list, 1, NULL));
    SHOW(gai_error(&g));
    SHOW(g.ar_result != NULL);
}
SYMBOL(gai_error)
{
    struct gaicb g = {.ar_name = "not a number", .ar_request = &(struct addrinfo){.ai_flags = AI_NUMERICHOST}}, *list[] = {&g};
    SHOW(getaddrinfo_a(GAI_WAIT, list, 1, NULL));
    SHOW(gai_error(&g));
}
SYMBOL(gai_suspend)
{
    struct gaicb g = {.ar_name = "::1", .ar_request = &(struct addrinfo){.ai_flags = AI_NUMERICHOST}}, *list[] = {&g};
    getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    int result = gai_suspend((const struct gaicb **)list, 1, NULL);
    SHOW(result == 0 || result == EAI_ALLDONE);
}
SYMBOL(gai_cancel)
{
    struct gaicb g = {.ar_name = "::1", .ar_request = &(struct addrinfo){.ai_flags = AI_NUMERICHOST}}, *list[] = {&g};
    getaddrinfo_a(GAI_WAIT, list, 1, NULL);
    SHOW(gai_cancel(&g));
}
static const unsigned char packed[] = "\3www\7example\3com\0\300\4";
SYMBOL(dn_expand)
{
    char name[100] = "";
    SHOW(dn_expand(packed, packed + sizeof packed, packed, name, sizeof name));
    TEXT(name);
    SHOW(dn_expand(packed, packed + sizeof packed, packed + 17, name, sizeof name));
    TEXT(name);
}
SYMBOL(dn_comp)
{
    unsigned char out[100];
    SHOW(dn_comp("www.example.com", out, sizeof out, NULL, NULL));
    SHOW(dn_comp("www.example.com", out, 3, NULL, NULL));
}
VALUE(dn_skipname, dn_skipname(packed, packed + sizeof packed))
SYMBOL(ns_name_skip)
{
    const unsigned char *p = packed;
    SHOW(ns_name_skip(&p, packed + sizeof packed));
    SHOW(p - packed);
}
SYMBOL(ns_name_ntop)
{
    char name[100] = "";
    SHOW(ns_name_ntop(packed, name, sizeof name));
    TEXT(name);
}
SYMBOL(ns_name_pton)
{
    unsigned char out[100] = "";
    SHOW(ns_name_pton("www.example.com.", out, sizeof out));
    SHOW(memcmp(out, packed, 17));
    SHOW(ns_name_pton("a..b", out, sizeof out));
}
SYMBOL(ns_name_pack)
{
    unsigned char out[100];
    SHOW(ns_name_pack(packed, out, sizeof out, NULL, NULL));
}
SYMBOL(ns_name_unpack)
{
    unsigned char out[100];
    SHOW(ns_name_unpack(packed, packed + sizeof packed, packed + 17, out, sizeof out));
}
SYMBOL(ns_name_compress)
{
    unsigned char out[100];
    SHOW(ns_name_compress("a.b", out, sizeof out, NULL, NULL));
}
SYMBOL(ns_name_uncompress)
{
    char name[100] = "";
    SHOW(ns_name_uncompress(packed, packed + sizeof packed, packed + 17, name, sizeof name));
    TEXT(name);
}
#define VALID(symbol)                                                             \
    SYMBOL(symbol)                                                                \
    {                                                                             \
        static const char *const names[] = {"a.b", "_a.b", "a b.c", "a@b.c", "-a", "", "*.b"}; \
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)                 \
            SHOW(symbol(names[i]));                                               \
    }
VALID(res_dnok)
VALID(res_hnok)
VALID(res_mailok)
VALID(res_ownok)
SYMBOL(res_mkquery)
{
    unsigned char out[512];
    RESULT(res_mkquery(ns_o_query, "www.example.com", ns_c_in, ns_t_a, NULL, 0, NULL, out, sizeof out));
    SHOW(memcmp(out + 12, packed, 17));
}
SYMBOL(res_nmkquery)
{
    struct __res_state state = {0};
    unsigned char out[512];
    RESULT(res_ninit(&state));
    RESULT(res_nmkquery(&state, ns_o_query, "www.example.com", ns_c_in, ns_t_a, NULL, 0, NULL, out, sizeof out));
    SHOW(memcmp(out + 12, packed, 17));
}

/* Terminals and log-ins. */
SYMBOL(openpty)
{
    int a = -1, b = -1;
    SHOW(openpty(&a, &b, NULL, NULL, NULL));
    SHOW(isatty(a) + isatty(b));
}
SYMBOL(forkpty)
{
    int terminal = -1, status = -1;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (child == 0)
        _exit(isatty(0) + 6);
    SHOW(child > 0);
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
}
VALUE(login_tty, login_tty(-1))
VALUE(logout, logout("capsule-absent"))
VALUE(dlmopen, dlmopen(LM_ID_BASE, "libm.so.6", RTLD_LAZY) != NULL)
