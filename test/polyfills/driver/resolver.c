/* The resolver's functions under their new names. The queries go to a port of this machine where nobody listens. */
#include "driver.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <resolv.h>

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
void check_resolver(void)
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
