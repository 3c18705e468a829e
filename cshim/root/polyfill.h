/* What the polyfills share: raw system calls, and functions of the runtime that may not be loaded yet. */
#ifndef CAPSULE_POLYFILL_H
#define CAPSULE_POLYFILL_H

#include <time.h>

#include "root.h"
#include "syscall.h"

/* Public data of libc or ld.so. */
#define CAPSULE_POLYFILL_DATA(type, name, value) \
    const type polyfill_##name CAPSULE_EXPORTED("polyfill", type, name) = value

/* sys_raw(number, arguments…): the kernel's result, -errno on failure; errno is left alone. sys_call: as a libc
 * function returns it. Arguments may be integers or pointers, at most six. */
#define SYS_PICK(n, a, b, c, d, e, f, ...) \
    arch_syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys_raw(...) SYS_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define sys_call(...) syscall_result(sys_raw(__VA_ARGS__))

/* A system call during which the thread can be cancelled, as glibc's cancellation points were up to 2.40: the
 * cancellation type is asynchronous for as long as the call lasts. */
void polyfill_cancellable(int *previous_type);
void polyfill_uncancellable(int previous_type);

/* LATE(library, name): base_NAME, which must be a CAPSULE_IMPORT_LATE, or a CAPSULE_IMPORT where
 * libcapsule needs the library. Before glibc 2.34 pthread functions lived in libpthread and the
 * resolver's live in libresolv: where the game does not use these, they are loaded only when a
 * driver's proxy asks, after the imports were resolved: filling the proxy fills the import. NULL:
 * the runtime has no such function. */
void *polyfill_late(void *const *slot, const char *library, const char *name);
#define LATE(library, name) \
    ((typeof(base_##name))polyfill_late((void *const *)&base_##name, library, #name))
#define LIBPTHREAD "libpthread.so.0"
#define LIBRESOLV "libresolv.so.2"

#define KERNEL_SIGSET_SIZE 8 /* bytes; the kernel's sigset_t, _NSIG / 8 */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Is the runtime's glibc older than 2.minor? */
bool polyfill_glibc_before(int minor);

/* Closes every descriptor from first on. Allocates nothing, takes no lock. */
bool polyfill_close_from(int first);

/* Ends the process as glibc's fortified functions do ("*** buffer overflow detected ***"), or after writing the
 * message when a polyfill cannot keep its promise. */
_Noreturn void polyfill_chk_fail(void);
_Noreturn void polyfill_fatal(const char *message);

#endif
