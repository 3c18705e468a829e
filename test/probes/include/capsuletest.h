/*
 * The C interface between one_libc (compiled in and for the runtime) and libcapsuletest.so.1 (compiled on a much newer
 * release, and loaded from the host). Each function does on the host's side what its name says; none checks anything,
 * except the self-tests, which concern the host library alone. The stand-in library that one_libc is linked
 * against is generated from this file: one function a line, each name starting with ct_.
 */
#ifndef CAPSULETEST_H
#define CAPSULETEST_H

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <wchar.h>

/* the architecture's multiarch triplet, and the oldest version of its glibc's symbols */
#ifdef __i386__
#define TRIPLET "i386-linux-gnu"
#define BASE_VERSION "GLIBC_2.0"
#elif defined __aarch64__
#define TRIPLET "aarch64-linux-gnu"
#define BASE_VERSION "GLIBC_2.17"
#else
#define TRIPLET "x86_64-linux-gnu"
#define BASE_VERSION "GLIBC_2.2.5"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef void ct_callback(void *);

/* memory.cc: each allocates with the function it is named after */
void *ct_malloc(size_t n);
void *ct_calloc(size_t n, size_t size);
void *ct_realloc(void *p, size_t n);
void *ct_posix_memalign(size_t alignment, size_t n);
void *ct_aligned_alloc(size_t alignment, size_t n);
char *ct_strdup(const char *s);
ssize_t ct_getline(char **line, size_t *size, FILE *f);
char *ct_asprintf(int value);
char *ct_memstream(int value);
void *ct_new(size_t n);
void ct_delete(void *p);
void ct_free(void *p);
size_t ct_usable_size(void *p);

/* threads.cc */
int ct_key_create(pthread_key_t *key, ct_callback *destructor);
int ct_key_set(pthread_key_t key, void *value);
void *ct_key_get(pthread_key_t key);
void ct_thread_exit(void *value);
void ct_block(void);
int ct_unwound(void);
int ct_thread_run(ct_callback *body, void *arg);
int ct_mutex_lock(pthread_mutex_t *m);
int ct_mutex_unlock(pthread_mutex_t *m);
pthread_t ct_self(void);
void ct_call(ct_callback *f, void *arg);
void ct_call_unwound(ct_callback *f, void *arg);

/* stdio.cc */
void ct_print(const char *s);
void ct_puts_to(FILE *f, const char *s);
void ct_cout(const char *s);
void *ct_stream(int which);
void *ct_stream_address(int which);
FILE *ct_tmpfile(const char *contents);
int ct_wide(FILE *f, const wchar_t *s);

/* process.cc */
char *ct_getenv(const char *name);
int ct_setenv(const char *name, const char *value);
int ct_unsetenv(const char *name);
int ct_putenv(char *text);
char ***ct_environ_address(void);
void ct_replace_environ(char **to);
int ct_fail_with_errno(int value);
int ct_errno(void);
int *ct_errno_address(void);
void ct_atexit(const char *text);
void ct_announce_destructor(int fd);
int ct_atfork(ct_callback *note, void *prepare, void *parent, void *child);
int ct_signal(int number, void (*handler)(int));
int ct_raise(int number);
pid_t ct_getpid(void);
pid_t ct_gettid(void);
int ct_system(const char *command);
FILE *ct_popen(const char *command);
int ct_pclose(FILE *f);
long ct_timezone(const char *tz);
int ct_timer(int milliseconds, ct_callback *f, void *arg);

/* lookup.cc */
int ct_stat(const char *path, struct stat *st);
int ct_fstat(int fd, struct stat *st);
void *ct_opendir(const char *path);
int ct_closedir(void *dir);
void *ct_getpwuid(unsigned uid);
int ct_getaddrinfo(const char *host, void **list);
void ct_freeaddrinfo(void *list);
void ct_qsort(int *values, size_t n, int (*compare)(const void *, const void *));
int ct_compare(const void *a, const void *b);
long long ct_clock(int id);

/* locale.cc */
char *ct_setlocale(const char *name);
const char *ct_codeset(void);
size_t ct_mb_cur_max(void);
void *ct_uselocale(void *to);
void *ct_newlocale(const char *name);
int ct_isalpha(int c);
int ct_iswalpha(wint_t c);
int ct_format(char *out, size_t n, double v);

/* loader.cc */
void *ct_dlopen(const char *name);
void *ct_dlsym(void *handle, const char *name);
int ct_dlclose(void *handle);
void *ct_dlsym_default(const char *name);
void *ct_linked(const char *name);
int ct_plugin(int value);
int ct_dl_iterate(const char *part);
const char *ct_dladdr(void *address);

/* x11.cc */
void *ct_open_display(void);
int ct_display_width(void *display);
unsigned long ct_intern_atom(void *display, const char *name);
void ct_close_display(void *display);

/* selftest.cc: checks of the host library's own, by number from 0; name returns NULL behind the last, run
 * returns NULL for success and otherwise what is wrong */
const char *ct_selftest_name(int i);
const char *ct_selftest_run(int i);

#ifdef __cplusplus
}
#endif
#endif
