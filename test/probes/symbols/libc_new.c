/* libc: the functions of 2.42 and 2.43, which the compiler's release does not have. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "symbols.h"

#define SINCE(x, type, symbol)                    \
    type;                                         \
    NEWER("libc.so.6", f, #symbol, "GLIBC_2." #x)

#define ABSOLUTE(symbol, version, type)                                                          \
    SYMBOL(symbol)                                                                               \
    {                                                                                            \
        SINCE(version, unsigned type (*f)(type), symbol)                                         \
        SHOW(f(-5));                                                                             \
        SHOW(f(7));                                                                              \
        SHOW(f((type)((unsigned type)1 << (sizeof(type) * 8 - 1))));                             \
    }
ABSOLUTE(uabs, 42, int)
ABSOLUTE(ulabs, 42, long)
ABSOLUTE(ullabs, 42, long long)
ABSOLUTE(uimaxabs, 42, long)
ABSOLUTE(umaxabs, 43, long)

/* Settings as tcgetattr of any release fills them in: the codes in c_cflag alone tell. */
static void settings_of(struct termios *t, tcflag_t code)
{
    memset(t, 0, sizeof *t);
    t->c_cflag = CS8 | CREAD | code;
}

#define GET_SPEED(symbol)                                                \
    SYMBOL(symbol)                                                       \
    {                                                                    \
        SINCE(42, unsigned (*f)(const struct termios *), symbol)         \
        static const unsigned numbers[] = {0, 50, 9600, 38400, 115200, 4000000, 12345}; \
        int (*set)(struct termios *, unsigned) = dlvsym(RTLD_DEFAULT, "cfsetbaud", "GLIBC_2.42"); \
        if (!set)                                                        \
            set = dlvsym(dlopen("libc.so.6", RTLD_LAZY), "cfsetbaud", "GLIBC_2.42"); \
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {  \
            struct termios t;                                            \
            settings_of(&t, 0);                                          \
            set(&t, numbers[i]);                                         \
            SHOW(f(&t));                                                 \
        }                                                                \
    }
GET_SPEED(cfgetibaud)
GET_SPEED(cfgetobaud)
GET_SPEED(cfgetispeed)
GET_SPEED(cfgetospeed)

#define SET_SPEED(symbol)                                                \
    SYMBOL(symbol)                                                       \
    {                                                                    \
        SINCE(42, int (*f)(struct termios *, unsigned), symbol)          \
        static const unsigned numbers[] = {50, 9600, 38400, 115200, 4000000}; \
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {  \
            struct termios t;                                            \
            settings_of(&t, 0);                                          \
            SHOW(f(&t, numbers[i]));                                     \
            SHOW(t.c_cflag & CBAUD);                                     \
        }                                                                \
    }
SET_SPEED(cfsetibaud)
SET_SPEED(cfsetobaud)
SET_SPEED(cfsetbaud)
SET_SPEED(cfsetispeed)
SET_SPEED(cfsetospeed)
SET_SPEED(cfsetspeed)

SYMBOL(__inet_ntop_chk)
{
    SINCE(42, const char *(*f)(int, const void *, char *, socklen_t, size_t), __inet_ntop_chk)
    char text[20];
    TEXT(f(AF_INET, "\x7f\0\0\1", text, sizeof text, sizeof text));
    fflush(stdout);
    f(AF_INET, "\x7f\0\0\1", text, sizeof text, 10);
}

SYMBOL(__inet_pton_chk)
{
    SINCE(42, int (*f)(int, const char *, void *, size_t), __inet_pton_chk)
    unsigned char a[4];
    SHOW(f(AF_INET, "127.0.0.1", a, 4));
    SHOW(a[0] + a[3]);
    fflush(stdout);
    f(AF_INET, "127.0.0.1", a, 3);
}

SYMBOL(pthread_gettid_np)
{
    SINCE(42, pid_t (*f)(pthread_t), pthread_gettid_np)
    SHOW(f(pthread_self()) == (pid_t)syscall(SYS_gettid));
}

SYMBOL(free_sized)
{
    SINCE(43, void (*f)(void *, size_t), free_sized)
    f(malloc(100), 100);
    f(NULL, 0);
    SHOW(1);
}

SYMBOL(free_aligned_sized)
{
    SINCE(43, void (*f)(void *, size_t, size_t), free_aligned_sized)
    f(aligned_alloc(64, 128), 64, 128);
    f(NULL, 64, 0);
    SHOW(1);
}

SYMBOL(memalignment)
{
    SINCE(43, size_t (*f)(const void *), memalignment)
    SHOW(f((void *)64));
    SHOW(f((void *)3));
    SHOW(f(NULL));
}

SYMBOL(memset_explicit)
{
    SINCE(43, void *(*f)(void *, int, size_t), memset_explicit)
    char a[5] = "abcd";
    SHOW(f(a, 'x', 3) == a);
    TEXT(a);
}

SYMBOL(__memset_explicit_chk)
{
    SINCE(43, void *(*f)(void *, int, size_t, size_t), __memset_explicit_chk)
    char a[5] = "abcd";
    SHOW(f(a, 'x', 3, 5) == a);
    TEXT(a);
    fflush(stdout);
    f(a, 'x', 5, 4);
}

SYMBOL(mseal)
{
    SINCE(43, int (*f)(void *, size_t, unsigned long), mseal)
    SHOW(f((void *)1, 4096, 0));
    SHOW(f(NULL, 0, 77));
}

SYMBOL(openat2)
{
    SINCE(43, int (*f)(int, const char *, void *, size_t), openat2)
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDONLY | O_CLOEXEC, 0, 0x08 /* RESOLVE_BENEATH */};
    int root = open("/", O_PATH | O_CLOEXEC | O_DIRECTORY);
    SHOW(f(root, "etc", &how, sizeof how) >= 0);
    SHOW(f(root, "../etc", &how, sizeof how));
    SHOW(f(root, "/etc", &how, sizeof how));
    SHOW(f(root, "etc", &how, 1));
}
