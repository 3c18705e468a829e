/* strlcpy and its family, memory, and names of errors and signals. */
#include "driver.h"

#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <wchar.h>

#define COPY(name, character, T, set, compare)                                                      \
    static void judge_##name##cpy(void *implementation)                                             \
    {                                                                                               \
        size_t (*f)(character *, const character *, size_t) = implementation;                       \
        character to[8];                                                                            \
        set(to, 'z', 8);                                                                            \
        EQUAL(f(to, T("abc"), 8), 3);                                                               \
        EXPECT(compare(to, T("abc\0zzzz"), 8) == 0);                                                \
        EQUAL(f(to, T("abcdef"), 4), 6);                                                            \
        EXPECT(compare(to, T("abc\0zzzz"), 8) == 0);                                                \
        EQUAL(f(to, T("xyz"), 3), 3);                                                               \
        EXPECT(compare(to, T("xy\0\0zzzz"), 8) == 0);                                               \
        EQUAL(f(to, T("q"), 1), 1);                                                                 \
        EXPECT(compare(to, T("\0y\0\0zzzz"), 8) == 0);                                              \
        EQUAL(f(to, T("qrs"), 0), 3);                                                               \
        EXPECT(compare(to, T("\0y\0\0zzzz"), 8) == 0);                                              \
        EQUAL(f(to, T(""), 8), 0);                                                                  \
    }                                                                                               \
    static void judge_##name##cat(void *implementation)                                             \
    {                                                                                               \
        size_t (*f)(character *, const character *, size_t) = implementation;                       \
        character to[8];                                                                            \
        set(to, 'z', 8);                                                                            \
        to[0] = 0;                                                                                  \
        EQUAL(f(to, T("ab"), 8), 2);                                                                \
        EQUAL(f(to, T("cd"), 8), 4);                                                                \
        EXPECT(compare(to, T("abcd\0zzz"), 8) == 0);                                                \
        EQUAL(f(to, T("efgh"), 6), 8);                                                              \
        EXPECT(compare(to, T("abcde\0zz"), 8) == 0);                                                \
        EQUAL(f(to, T("xyz"), 3), 6); /* no terminator within 3: nothing is appended */             \
        EXPECT(compare(to, T("abcde\0zz"), 8) == 0);                                                \
        EQUAL(f(to, T("xyz"), 0), 3);                                                               \
    }                                                                                               \
    static void overflow_##name(void *implementation)                                               \
    {                                                                                               \
        size_t (*f)(character *, const character *, size_t, size_t) = implementation;               \
        character to[8] = {0};                                                                      \
        f(to, T("a"), 9, 8);                                                                        \
    }                                                                                               \
    static void judge_##name##cpy_chk(void *implementation)                                         \
    {                                                                                               \
        size_t (*f)(character *, const character *, size_t, size_t) = implementation;               \
        character to[8];                                                                            \
        EQUAL(f(to, T("abcdefghij"), 8, 8), 10);                                                    \
        EXPECT(compare(to, T("abcdefg\0"), 8) == 0);                                                \
        int status = status_of(overflow_##name, implementation);                                    \
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);                                 \
    }                                                                                               \
    static void judge_##name##cat_chk(void *implementation)                                         \
    {                                                                                               \
        size_t (*f)(character *, const character *, size_t, size_t) = implementation;               \
        character to[8] = {'a', 0};                                                                 \
        EQUAL(f(to, T("bcdefghij"), 8, 8), 10);                                                     \
        EXPECT(compare(to, T("abcdefg\0"), 8) == 0);                                                \
        int status = status_of(overflow_##name, implementation);                                    \
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);                                 \
    }

#define NARROW(text) text
#define WIDE(text) L##text
COPY(strl, char, NARROW, memset, memcmp)
COPY(wcsl, wchar_t, WIDE, wmemset, wmemcmp)

static void judge_memcmpeq(void *implementation)
{
    int (*f)(const void *, const void *, size_t) = implementation;
    char a[100], b[100];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    EQUAL(f(a, b, sizeof a), 0);
    EQUAL(f(a, "", 0), 0);
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 'b';
        EXPECT(f(a, b, sizeof a) != 0);
        EQUAL(f(a, b, i), 0);
        b[i] = 'a';
    }
}

static void judge_memset_explicit(void *implementation)
{
    void *(*f)(void *, int, size_t) = implementation;
    char a[4] = "abc";
    EXPECT(f(a, 'x', 2) == a && !memcmp(a, "xxc", 4));
}

static void overflow_memset(void *implementation)
{
    char a[4];
    ((void *(*)(void *, int, size_t, size_t))implementation)(a, 0, 5, 4);
}

static void judge_memset_explicit_chk(void *implementation)
{
    void *(*f)(void *, int, size_t, size_t) = implementation;
    char a[4] = "abc";
    EXPECT(f(a, 'x', 4, 4) == a && !memcmp(a, "xxxx", 4));
    int status = status_of(overflow_memset, implementation);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void judge_memalignment(void *implementation)
{
    size_t (*f)(const void *) = implementation;
    EQUAL(f(NULL), 0);
    EQUAL(f((void *)1), 1);
    EQUAL(f((void *)0x1230), 0x10);
    EQUAL(f((void *)0x7000), 0x1000);
}

/* That the block was freed: the allocator hands it out again. */
static void judge_free_sized(void *implementation)
{
    void (*f)(void *, size_t) = implementation;
    void *block = malloc(100);
    uintptr_t was = (uintptr_t)block;
    f(block, 100);
    void *again = malloc(100);
    EQUAL((uintptr_t)again, was);
    free(again);
    f(NULL, 0);
}

static void judge_free_aligned_sized(void *implementation)
{
    void (*f)(void *, size_t, size_t) = implementation;
    void *block = malloc(100);
    uintptr_t was = (uintptr_t)block;
    f(block, 16, 100);
    void *again = malloc(100);
    EQUAL((uintptr_t)again, was);
    free(again);
    f(NULL, 16, 0);
}

struct mallinfo_wide {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

static void judge_mallinfo2(void *implementation)
{
    struct mallinfo_wide (*f)(void) = implementation;
    struct mallinfo_wide before = f();
    void *block = malloc(3000), *mapped = malloc(64 << 20);
    struct mallinfo_wide after = f();
    struct mallinfo old = ((struct mallinfo(*)(void))runtime("mallinfo"))();
    EXPECT(after.uordblks >= before.uordblks + 3000 && after.uordblks < before.uordblks + 200000);
    EQUAL(after.hblks, before.hblks + 1);
    EXPECT(after.hblkhd >= before.hblkhd + (64 << 20));
    EQUAL(after.arena, old.arena);
    EQUAL(after.ordblks, old.ordblks);
    EQUAL(after.smblks, old.smblks);
    EQUAL(after.hblks, old.hblks);
    EQUAL(after.hblkhd, old.hblkhd);
    EQUAL(after.usmblks, old.usmblks);
    EQUAL(after.fsmblks, old.fsmblks);
    EQUAL(after.uordblks, old.uordblks);
    EQUAL(after.fordblks, old.fordblks);
    EQUAL(after.keepcost, old.keepcost);
    free(block);
    free(mapped);
}

static void judge_strerrorname(void *implementation)
{
    const char *(*f)(int) = implementation;
    EXPECT(!strcmp(f(0), "0") && !strcmp(f(EPERM), "EPERM") && !strcmp(f(EHWPOISON), "EHWPOISON"));
    EXPECT(!strcmp(f(EWOULDBLOCK), "EAGAIN") && !strcmp(f(ENOTSUP), "EOPNOTSUPP") && !strcmp(f(EDEADLOCK), "EDEADLK"));
    EXPECT(!f(-1) && !f(41) && !f(58) && !f(134) && !f(1000000));
    const char *(*native)(int) = runtime("strerrorname_np");
    for (int e = -2; native && e < 200; e++)
        EXPECT(native(e) ? f(e) && !strcmp(f(e), native(e)) : !f(e));
}

/* strerror's text; and the untranslated one where the runtime has the function. */
static void judge_strerrordesc(void *implementation)
{
    const char *(*f)(int) = implementation;
    EXPECT(!strcmp(f(0), "Success") && !strcmp(f(ENOENT), "No such file or directory"));
    EXPECT(!strcmp(f(EHWPOISON), "Memory page has hardware error"));
    EXPECT(!f(-1) && !f(41) && !f(58) && !f(134) && !f(1000000));
    for (int e = 0; e < 134; e++)
        EXPECT(e == 41 || e == 58 || !strcmp(f(e), strerror(e)));
    const char *(*native)(int) = runtime("strerrordesc_np");
    for (int e = -2; native && e < 200; e++)
        EXPECT(native(e) ? f(e) && !strcmp(f(e), native(e)) : !f(e));
}

static void judge_sigabbrev(void *implementation)
{
    const char *(*f)(int) = implementation;
    EXPECT(!strcmp(f(SIGHUP), "HUP") && !strcmp(f(SIGSYS), "SYS") && !strcmp(f(SIGIO), "POLL"));
    EXPECT(!f(0) && !f(-1) && !f(32) && !f(64) && !f(65));
    const char *(*native)(int) = runtime("sigabbrev_np");
    for (int s = -2; native && s < 100; s++)
        EXPECT(native(s) ? f(s) && !strcmp(f(s), native(s)) : !f(s));
}

static void judge_sigdescr(void *implementation)
{
    const char *(*f)(int) = implementation;
    EXPECT(!strcmp(f(SIGHUP), "Hangup") && !strcmp(f(SIGSYS), "Bad system call"));
    EXPECT(!f(0) && !f(-1) && !f(32) && !f(64) && !f(65));
    const char *(*native)(int) = runtime("sigdescr_np");
    for (int s = -2; native && s < 100; s++)
        EXPECT(native(s) ? f(s) && !strcmp(f(s), native(s)) : !f(s));
}

void check_text(void)
{
    check("strlcpy", judge_strlcpy);
    check("strlcat", judge_strlcat);
    check("__strlcpy_chk", judge_strlcpy_chk);
    check("__strlcat_chk", judge_strlcat_chk);
    check("wcslcpy", judge_wcslcpy);
    check("wcslcat", judge_wcslcat);
    check("__wcslcpy_chk", judge_wcslcpy_chk);
    check("__wcslcat_chk", judge_wcslcat_chk);
    check("__memcmpeq", judge_memcmpeq);
    check("memset_explicit", judge_memset_explicit);
    check("__memset_explicit_chk", judge_memset_explicit_chk);
    check("memalignment", judge_memalignment);
    check("free_sized", judge_free_sized);
    check("free_aligned_sized", judge_free_aligned_sized);
    check("mallinfo2", judge_mallinfo2);
    check("strerrorname_np", judge_strerrorname);
    check("strerrordesc_np", judge_strerrordesc);
    check("sigabbrev_np", judge_sigabbrev);
    check("sigdescr_np", judge_sigdescr);
}
