/* Single functions: twalk_r, fortified inet_*, line speeds, the resolver, time resolution, CPU features, randomness. */
#include "driver.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <resolv.h>
#include <search.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

struct walk {
    char text[200];
};

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void visit(const void *node, VISIT visit, void *argument)
{
    struct walk *w = argument;
    size_t n = strlen(w->text);
    snprintf(w->text + n, sizeof w->text - n, "%d%c ", **(const int *const *)node, "poel"[visit]);
}

static char *text_of_twalk;

static void visit_plain(const void *node, VISIT visit, int depth)
{
    size_t n = strlen(text_of_twalk);
    (void)depth;
    snprintf(text_of_twalk + n, 200 - n, "%d%c ", **(const int *const *)node, "poel"[visit]);
}

/* Against the runtime's own twalk. */
static void judge_twalk_r(void *implementation)
{
    void (*f)(const void *, void (*)(const void *, VISIT, void *), void *) = implementation;
    static int keys[] = {5, 2, 8, 1, 9, 3, 7, 4, 6, 0};
    void *root = NULL;
    struct walk w = {""};
    f(NULL, visit, &w);
    EQUAL(strlen(w.text), 0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        tsearch(&keys[i], &root, compare);
        char plain[200] = "";
        text_of_twalk = plain;
        twalk(root, visit_plain);
        w.text[0] = '\0';
        f(root, visit, &w);
        EXPECT(plain[0] && !strcmp(w.text, plain));
    }
    f(root, NULL, NULL);
    while (root)
        tdelete(*(int **)root, &root, compare);
}

static void overflow_ntop(void *implementation)
{
    char text[8];
    struct in_addr a = {0};
    ((const char *(*)(int, const void *, char *, socklen_t, size_t))implementation)(AF_INET, &a, text, 16, 8);
}

static void judge_inet_ntop_chk(void *implementation)
{
    const char *(*f)(int, const void *, char *, socklen_t, size_t) = implementation;
    char text[INET6_ADDRSTRLEN];
    struct in_addr a = {htonl(0x7f000001)};
    EXPECT(f(AF_INET, &a, text, sizeof text, sizeof text) == text && !strcmp(text, "127.0.0.1"));
    FAILS((intptr_t)f(AF_INET, &a, text, 3, sizeof text), 0, ENOSPC);
    int status = status_of(overflow_ntop, implementation);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void overflow_pton4(void *implementation)
{
    char to[3];
    ((int (*)(int, const char *, void *, size_t))implementation)(AF_INET, "x", to, 3);
}

static void overflow_pton6(void *implementation)
{
    char to[15];
    ((int (*)(int, const char *, void *, size_t))implementation)(AF_INET6, "x", to, 15);
}

static void judge_inet_pton_chk(void *implementation)
{
    int (*f)(int, const char *, void *, size_t) = implementation;
    struct in6_addr a;
    EQUAL(f(AF_INET, "127.0.0.1", &a, 4), 1);
    EXPECT(!memcmp(&a, "\x7f\0\0\1", 4));
    EQUAL(f(AF_INET6, "::1", &a, 16), 1);
    EQUAL(f(AF_INET, "nonsense", &a, 16), 0);
    FAILS(f(12345, "x", &a, 0), -1, EAFNOSUPPORT);
    int status = status_of(overflow_pton4, implementation);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = status_of(overflow_pton6, implementation);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static unsigned (*get_input)(const struct termios *), (*get_output)(const struct termios *);
static int (*set_input)(struct termios *, unsigned), (*set_output)(struct termios *, unsigned);

static void judge_cfget(void *implementation)
{
    unsigned (*f)(const struct termios *) = implementation;
    *(get_input ? &get_output : &get_input) = f;
    /* What tcgetattr before 2.42 fills in: the index in all places. */
    struct termios t = {.c_cflag = B115200, .c_ispeed = B115200, .c_ospeed = B115200};
    EQUAL(f(&t), 115200);
    t = (struct termios){.c_cflag = B0};
    EQUAL(f(&t), 0);
    t = (struct termios){.c_cflag = CBAUDEX | CBAUDEX << 16, .c_ispeed = 12345, .c_ospeed = 12345};
    EQUAL(f(&t), 12345);
}

static void judge_cfset(void *implementation)
{
    int (*f)(struct termios *, unsigned) = implementation;
    *(set_input ? &set_output : &set_input) = f;
    struct termios t = {.c_cflag = CS8 | CREAD};
    EQUAL(f(&t, 9600), 0);
    EXPECT((t.c_cflag & ~(CBAUD | CBAUD << 16)) == (CS8 | CREAD));
    EQUAL(f(&t, 12345), 0);
    EXPECT(t.c_ispeed == 12345 || t.c_ospeed == 12345);
}

static void judge_cfsetbaud(void *implementation)
{
    int (*f)(struct termios *, unsigned) = implementation;
    static const unsigned standard[] = {50, 110, 9600, 38400, 57600, 115200, 4000000};
    static const tcflag_t codes[] = {B50, B110, B9600, B38400, B57600, B115200, B4000000};
    for (int i = 0; i < 7; i++) {
        struct termios t = {.c_cflag = CS8};
        EQUAL(f(&t, standard[i]), 0);
        EQUAL(t.c_cflag, CS8 | codes[i] | codes[i] << 16);
        EQUAL(get_input(&t), standard[i]);
        EQUAL(get_output(&t), standard[i]);
        set_input(&t, 300);
        set_output(&t, 777);
        EQUAL(get_input(&t), 300);
        EQUAL(get_output(&t), 777);
        set_input(&t, 0);
        EQUAL(get_input(&t), 0);
    }
}

static unsigned char query[512];
static int query_size;

static void judge_mkquery(void *implementation)
{
    int (*f)(int, const char *, int, int, const unsigned char *, int, const unsigned char *, unsigned char *, int) =
        implementation;
    query_size = f(0 /* QUERY */, "www.example.org", 1, 1, NULL, 0, NULL, query, sizeof query);
    EQUAL(query_size, 12 + 17 + 4);
    EXPECT(!memcmp(query + 12, "\3www\7example\3org\0\0\1\0\1", 21));
    EQUAL(f(0, "www.example.org", 1, 1, NULL, 0, NULL, query, 13), -1);
}

static void judge_nmkquery(void *implementation)
{
    int (*f)(res_state, int, const char *, int, int, const unsigned char *, int, const unsigned char *,
             unsigned char *, int) = implementation;
    struct __res_state state;
    memset(&state, 0, sizeof state);
    EQUAL(((int (*)(res_state))runtime("__res_ninit"))(&state), 0);
    query_size = f(&state, 0, "www.example.org", 1, 1, NULL, 0, NULL, query, sizeof query);
    EQUAL(query_size, 12 + 17 + 4);
}

static void judge_dn_expand(void *implementation)
{
    int (*f)(const unsigned char *, const unsigned char *, const unsigned char *, char *, int) = implementation;
    char name[100] = "";
    EQUAL(f(query, query + query_size, query + 12, name, sizeof name), 17);
    EXPECT(!strcmp(name, "www.example.org"));
    EQUAL(f(query, query + query_size, query + 12, name, 3), -1);
}

static void judge_dn_skipname(void *implementation)
{
    int (*f)(const unsigned char *, const unsigned char *) = implementation;
    EQUAL(f(query + 12, query + query_size), 17);
    EQUAL(f(query + 12, query + 14), -1);
}

static void judge_dn_comp(void *implementation)
{
    int (*f)(const char *, unsigned char *, int, unsigned char **, unsigned char **) = implementation;
    unsigned char to[64];
    EQUAL(f("a.example.org", to, sizeof to, NULL, NULL), 15);
    EXPECT(!memcmp(to, "\1a\7example\3org", 15));
    EQUAL(f("a.example.org", to, 5, NULL, NULL), -1);
}

#define NAME_CHECK(name, good, bad)                \
    static void judge_##name(void *implementation) \
    {                                              \
        int (*f)(const char *) = implementation;   \
        EQUAL(f(good), 1);                         \
        EQUAL(f(bad), 0);                          \
    }
NAME_CHECK(res_dnok, "a_b.example", "a b")
NAME_CHECK(res_hnok, "host.example", "ho_st.example ")
NAME_CHECK(res_mailok, "some.one.example", "a b")
NAME_CHECK(res_ownok, "*.example", "a b")

/* A resolver with one name server, where nobody listens: every function asks it, none gets an answer. In a child,
 * with its own state, so that nothing is sent elsewhere. */
static int nobody(res_state state)
{
    EQUAL(((int (*)(res_state))runtime("__res_ninit"))(state), 0);
    state->nscount = 1;
    state->retrans = state->retry = 1;
    state->options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
    state->options |= RES_USEVC; /* TCP: refused at once */
    state->nsaddr_list[0].sin_family = AF_INET;
    state->nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    state->nsaddr_list[0].sin_port = htons(9);
    return 0;
}
#define ASK_OWN(name, types, ...)                                     \
    static void judge_##name(void *implementation)                    \
    {                                                                 \
        int (*f) types = implementation;                              \
        unsigned char answer[512];                                    \
        struct __res_state state;                                     \
        memset(&state, 0, sizeof state);                              \
        nobody(&state);                                               \
        EQUAL(f(__VA_ARGS__), -1);                                    \
    }
#define ASK(name, types, ...)                                         \
    static void judge_##name(void *implementation)                    \
    {                                                                 \
        int (*f) types = implementation;                              \
        unsigned char answer[512];                                    \
        nobody(((res_state(*)(void))runtime("__res_state"))());       \
        EQUAL(f(__VA_ARGS__), -1);                                    \
    }
ASK_OWN(res_nquery, (res_state, const char *, int, int, unsigned char *, int), &state, "a.invalid", 1, 1, answer, 512)
ASK_OWN(res_nsearch, (res_state, const char *, int, int, unsigned char *, int), &state, "a.invalid", 1, 1, answer, 512)
ASK_OWN(res_nquerydomain, (res_state, const char *, const char *, int, int, unsigned char *, int), &state, "a",
        "invalid", 1, 1, answer, 512)
ASK_OWN(res_nsend, (res_state, const unsigned char *, int, unsigned char *, int), &state, query, query_size, answer, 512)
ASK(res_query, (const char *, int, int, unsigned char *, int), "a.invalid", 1, 1, answer, 512)
ASK(res_search, (const char *, int, int, unsigned char *, int), "a.invalid", 1, 1, answer, 512)
ASK(res_querydomain, (const char *, const char *, int, int, unsigned char *, int), "a", "invalid", 1, 1, answer, 512)
ASK(res_send, (const unsigned char *, int, unsigned char *, int), query, query_size, answer, 512)

static void judge_timespec_getres(void *implementation)
{
    int (*f)(struct timespec *, int) = implementation;
    struct timespec t = {-1, -1}, want;
    EQUAL(f(&t, TIME_UTC), TIME_UTC);
    RT(clock_getres)(CLOCK_REALTIME, &want);
    EXPECT(t.tv_sec == want.tv_sec && t.tv_nsec == want.tv_nsec);
    EQUAL(f(NULL, TIME_UTC), TIME_UTC);
    EQUAL(f(&t, 0), 0);
    EQUAL(f(&t, 99), 0);
}

#ifdef __x86_64__
struct leaf {
    unsigned cpuid[4], active[4];
};

/* Some facts of x86-64; and nothing may be active that the runtime's own function does not call active. */
static void judge_cpuid(void *implementation)
{
    const struct leaf *(*f)(unsigned) = implementation, *(*native)(unsigned) = runtime("__x86_get_cpuid_feature_leaf");
    __builtin_cpu_init(); /* a constructor's work, which glibc before 2.34 leaves to crt1.o */
    EXPECT(f(0)->active[3] >> 26 & 1); /* SSE2 */
    EXPECT(f(0)->active[3] >> 15 & 1); /* CMOV */
    EXPECT(!!__builtin_cpu_supports("avx2") == (f(1)->active[1] >> 5 & 1));
    EXPECT(!!__builtin_cpu_supports("sse4.2") == (f(0)->active[2] >> 20 & 1));
    EXPECT(f(1000) && !f(1000)->cpuid[0] && !f(1000)->active[0] && f(1000) == f(2000));
    for (unsigned i = 0; i < 10; i++)
        for (int r = 0; r < 4; r++) {
            EXPECT((f(i)->active[r] & ~f(i)->cpuid[r]) == 0);
            if (native)
                EXPECT((f(i)->active[r] & ~native(i)->active[r]) == 0);
            /* Register ebx of leaf 1 has the number of the CPU that was asked. */
            if (native && i < 9 && (i != 0 || r != 1))
                EQUAL(f(i)->cpuid[r] & native(i)->cpuid[r], native(i)->cpuid[r]);
        }
}
#endif

static void judge_arc4random_buf(void *implementation)
{
    void (*f)(void *, size_t) = implementation;
    static unsigned char bytes[100000];
    memset(bytes, 0, sizeof bytes);
    f(bytes, 0);
    EQUAL(bytes[0], 0);
    f(bytes, sizeof bytes - 1);
    EQUAL(bytes[sizeof bytes - 1], 0);
    int seen[256] = {0};
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        seen[bytes[i]]++;
    for (int i = 0; i < 256; i++)
        EXPECT(seen[i] > 250 && seen[i] < 550); /* 390 expected, standard deviation 20 */
}

/* As on a kernel without getrandom. */
static void without_getrandom(void *implementation)
{
    if (take_away(SYS_getrandom))
        judge_arc4random_buf(implementation);
}

static void judge_arc4random_device(void *implementation)
{
    EQUAL(status_of(without_getrandom, implementation), 0);
}

static void judge_arc4random(void *implementation)
{
    uint32_t (*f)(void) = implementation;
    uint32_t any = 0, all = ~0u, first = f();
    bool differs = false;
    for (int i = 0; i < 64; i++) {
        uint32_t x = f();
        any |= x, all &= x;
        differs |= x != first;
    }
    EXPECT(any == ~0u && all == 0 && differs);
}

static void judge_arc4random_uniform(void *implementation)
{
    uint32_t (*f)(uint32_t) = implementation;
    EQUAL(f(0), 0);
    EQUAL(f(1), 0);
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint32_t x = f(7);
        EXPECT(x < 7);
        seen[x % 7]++;
    }
    for (int i = 0; i < 7; i++)
        EXPECT(seen[i] > 800 && seen[i] < 1200);
    for (int i = 0; i < 100; i++)
        EXPECT(f(0x80000001u) < 0x80000001u);
}

/* struct dl_find_object of dlfcn.h, glibc 2.35. */
struct found {
    unsigned long long flags;
    void *start, *end, *link_map, *eh_frame;
    unsigned long long reserved[7];
};

static void judge_find_object(void *implementation)
{
    int (*f)(void *, struct found *) = implementation;
    struct found found;
    static int here;
    EQUAL(f((void *)judge_find_object, &found), 0);
    EXPECT((char *)&here >= (char *)found.start && (char *)&here < (char *)found.end && found.eh_frame);
    void *start = found.start;
    EQUAL(f(runtime("qsort"), &found), 0);
    EXPECT(found.start != start && found.eh_frame);
    EQUAL(f(implementation, &found), 0);
    EXPECT((char *)implementation >= (char *)found.start && (char *)implementation < (char *)found.end);
    EQUAL(f((void *)16, &found), -1);
}

static void judge_nothing(void *implementation)
{
    EXPECT(implementation != NULL);
}

static void check_in_vain(const char *name, check_function *judge)
{
    check_polyfill(name, judge_nothing);
    check_runtime(name, judge);
}

/* The polyfills call __res_query and the like, which since 2.34 are only there for programs linked before. */
static void check_resolver(void)
{
    void (*one)(const char *, check_function *) = check;
    void *libresolv = dlopen("libresolv.so.2", RTLD_NOW);
    if (!libresolv || !dlsym(libresolv, "__res_mkquery")) {
        printf("note: this runtime has the resolver's new names only\n");
        one = check_in_vain;
    }
    one("res_mkquery", judge_mkquery);
    one("res_nmkquery", judge_nmkquery);
    one("dn_expand", judge_dn_expand);
    one("dn_skipname", judge_dn_skipname);
    one("dn_comp", judge_dn_comp);
#define CHECK(name) one(#name, judge_##name);
    CHECK(res_dnok) CHECK(res_hnok) CHECK(res_mailok) CHECK(res_ownok)
    CHECK(res_nquery) CHECK(res_nsearch) CHECK(res_nquerydomain) CHECK(res_nsend)
    CHECK(res_query) CHECK(res_search) CHECK(res_querydomain) CHECK(res_send)
}

void check_library(void)
{
    check("twalk_r", judge_twalk_r);
    check("__inet_ntop_chk", judge_inet_ntop_chk);
    check("__inet_pton_chk", judge_inet_pton_chk);
    check_polyfill("cfgetibaud", judge_cfget);
    check_polyfill("cfgetobaud", judge_cfget);
    check_polyfill("cfsetibaud", judge_cfset);
    check_polyfill("cfsetobaud", judge_cfset);
    check_polyfill("cfsetbaud", judge_cfsetbaud);
    check_resolver();
    check("_dl_find_object", judge_find_object);
    check("timespec_getres", judge_timespec_getres);
#ifdef __x86_64__
    check("__x86_get_cpuid_feature_leaf", judge_cpuid);
#endif
    check("arc4random_buf", judge_arc4random_buf);
    check("arc4random_buf", judge_arc4random_device);
    check("arc4random", judge_arc4random);
    check("arc4random_uniform", judge_arc4random_uniform);
}
