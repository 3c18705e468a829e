/* Single functions: twalk_r, fortified inet_*, line speeds, time resolution, CPU features, randomness. */
#include "driver.h"

#include <arpa/inet.h>
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
    /* Of an object with holes between its segments glibc tells the one segment. */
    char *here = (char *)judge_find_object;
    EQUAL(f(here, &found), 0);
    EXPECT(here >= (char *)found.start && here < (char *)found.end && found.eh_frame);
    void *start = found.start;
    EQUAL(f(runtime("qsort"), &found), 0);
    EXPECT(found.start != start && found.eh_frame);
    EQUAL(f(implementation, &found), 0);
    EXPECT((char *)implementation >= (char *)found.start && (char *)implementation < (char *)found.end);
    EQUAL(f((void *)16, &found), -1);
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
    /* Since 2.42 the same, before it another ABI. */
    get_input = get_output = NULL;
    set_input = set_output = NULL;
    check_polyfill("cfgetispeed", judge_cfget);
    check_polyfill("cfgetospeed", judge_cfget);
    check_polyfill("cfsetispeed", judge_cfset);
    check_polyfill("cfsetospeed", judge_cfset);
    check_polyfill("cfsetspeed", judge_cfsetbaud);
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
