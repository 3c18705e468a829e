/* A library of the host with one entry for each public symbol that glibc got after 2.28: the entry calls it and prints
 * what came of it, so that a run on the host and one in a capsule can be compared line by line. What a run prints must
 * depend on nothing else: no addresses, no times, no process numbers. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The oldest version of the architecture's symbols. */
#ifdef __aarch64__
#define BASE_VERSION "GLIBC_2.17"
#else
#define BASE_VERSION "GLIBC_2.2.5"
#endif

struct symbol_entry {
    const char *name;
    void (*run)(void);
} __attribute__((aligned(2 * sizeof(void *))));

/* SYMBOL(name) { … }: the entry of that symbol. */
#define SYMBOL(symbol)                                                      \
    static void run_##symbol(void);                                         \
    static const struct symbol_entry entry_##symbol                         \
        __attribute__((section("symbols"), used)) = {#symbol, run_##symbol}; \
    static void run_##symbol(void)

/* A number, with errno if there is one. RESULT: for functions that return the error, and promise nothing of errno. */
#define SHOW(expression)                                           \
    do {                                                           \
        errno = 0;                                                 \
        long long shown = (long long)(expression);                 \
        printf(errno ? " %lld(errno %d)" : " %lld", shown, errno); \
    } while (0)
#define RESULT(expression) printf(" %lld", (long long)(expression))
#define TEXT(expression) printf(" \"%s\"", (expression))

/* The entry of a symbol of which one expression tells everything. */
#define VALUE(symbol, expression) \
    SYMBOL(symbol)                \
    {                             \
        SHOW(expression);         \
    }

/* A symbol that the compiler's release does not have. Ends the entry with a word if the process has none. */
#define NEWER(library, pointer, symbol, version)                            \
    pointer = dlvsym(dlopen(library, RTLD_LAZY), symbol, version);          \
    if (!pointer) {                                                         \
        printf(" absent");                                                  \
        return;                                                             \
    }

#endif
