/* Names and descriptions of errors and signals (glibc 2.32). Descriptions are the runtime's own, untranslated. */
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "polyfill.h"

CAPSULE_IMPORT(locale_t, newlocale, (int, const char *, locale_t));
CAPSULE_IMPORT(locale_t, uselocale, (locale_t));
CAPSULE_IMPORT(char *, strerror_l, (int, locale_t));
CAPSULE_IMPORT(char *, strsignal, (int));

/* errno.h of Linux, numbers aside. Aliases (EWOULDBLOCK, ENOTSUP, EDEADLOCK) go by their first name. */
#define ERRORS(_)                                                                                                  \
    _(EPERM) _(ENOENT) _(ESRCH) _(EINTR) _(EIO) _(ENXIO) _(E2BIG) _(ENOEXEC) _(EBADF) _(ECHILD) _(EAGAIN)          \
    _(ENOMEM) _(EACCES) _(EFAULT) _(ENOTBLK) _(EBUSY) _(EEXIST) _(EXDEV) _(ENODEV) _(ENOTDIR) _(EISDIR)            \
    _(EINVAL) _(ENFILE) _(EMFILE) _(ENOTTY) _(ETXTBSY) _(EFBIG) _(ENOSPC) _(ESPIPE) _(EROFS) _(EMLINK) _(EPIPE)    \
    _(EDOM) _(ERANGE) _(EDEADLK) _(ENAMETOOLONG) _(ENOLCK) _(ENOSYS) _(ENOTEMPTY) _(ELOOP) _(ENOMSG) _(EIDRM)      \
    _(ECHRNG) _(EL2NSYNC) _(EL3HLT) _(EL3RST) _(ELNRNG) _(EUNATCH) _(ENOCSI) _(EL2HLT) _(EBADE) _(EBADR)           \
    _(EXFULL) _(ENOANO) _(EBADRQC) _(EBADSLT) _(EBFONT) _(ENOSTR) _(ENODATA) _(ETIME) _(ENOSR) _(ENONET)           \
    _(ENOPKG) _(EREMOTE) _(ENOLINK) _(EADV) _(ESRMNT) _(ECOMM) _(EPROTO) _(EMULTIHOP) _(EDOTDOT) _(EBADMSG)        \
    _(EOVERFLOW) _(ENOTUNIQ) _(EBADFD) _(EREMCHG) _(ELIBACC) _(ELIBBAD) _(ELIBSCN) _(ELIBMAX) _(ELIBEXEC)          \
    _(EILSEQ) _(ERESTART) _(ESTRPIPE) _(EUSERS) _(ENOTSOCK) _(EDESTADDRREQ) _(EMSGSIZE) _(EPROTOTYPE)              \
    _(ENOPROTOOPT) _(EPROTONOSUPPORT) _(ESOCKTNOSUPPORT) _(EOPNOTSUPP) _(EPFNOSUPPORT) _(EAFNOSUPPORT)             \
    _(EADDRINUSE) _(EADDRNOTAVAIL) _(ENETDOWN) _(ENETUNREACH) _(ENETRESET) _(ECONNABORTED) _(ECONNRESET)           \
    _(ENOBUFS) _(EISCONN) _(ENOTCONN) _(ESHUTDOWN) _(ETOOMANYREFS) _(ETIMEDOUT) _(ECONNREFUSED) _(EHOSTDOWN)       \
    _(EHOSTUNREACH) _(EALREADY) _(EINPROGRESS) _(ESTALE) _(EUCLEAN) _(ENOTNAM) _(ENAVAIL) _(EISNAM) _(EREMOTEIO)   \
    _(EDQUOT) _(ENOMEDIUM) _(EMEDIUMTYPE) _(ECANCELED) _(ENOKEY) _(EKEYEXPIRED) _(EKEYREVOKED) _(EKEYREJECTED)     \
    _(EOWNERDEAD) _(ENOTRECOVERABLE) _(ERFKILL) _(EHWPOISON)

#define SIGNALS(_)                                                                                                 \
    _(HUP) _(INT) _(QUIT) _(ILL) _(TRAP) _(ABRT) _(BUS) _(FPE) _(KILL) _(USR1) _(SEGV) _(USR2) _(PIPE) _(ALRM)     \
    _(TERM) _(STKFLT) _(CHLD) _(CONT) _(STOP) _(TSTP) _(TTIN) _(TTOU) _(URG) _(XCPU) _(XFSZ) _(VTALRM) _(PROF)     \
    _(WINCH) _(POLL) _(PWR) _(SYS)

CAPSULE_POLYFILL(const char *, strerrorname_np, (int error))
{
    switch (error) {
    case 0:
        return "0";
#define NAME(error_name)  \
    case error_name:      \
        return #error_name;
        ERRORS(NAME)
#undef NAME
    }
    return NULL;
}

CAPSULE_POLYFILL(const char *, sigabbrev_np, (int signal))
{
    switch (signal) {
#define NAME(abbreviation) \
    case SIG##abbreviation: \
        return #abbreviation;
        SIGNALS(NAME)
#undef NAME
    }
    return NULL;
}

/* The "C" locale is a constant of glibc: newlocale allocates nothing (locale/newlocale.c). */
static locale_t untranslated(void)
{
    return base_newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

CAPSULE_POLYFILL(const char *, strerrordesc_np, (int error))
{
    return polyfill_strerrorname_np(error) ? base_strerror_l(error, untranslated()) : NULL;
}

/* There is no strsignal_l. For these numbers strsignal returns a constant, not its buffer. */
CAPSULE_POLYFILL(const char *, sigdescr_np, (int signal))
{
    if (!polyfill_sigabbrev_np(signal))
        return NULL;
    locale_t previous = base_uselocale(untranslated());
    const char *text = base_strsignal(signal);
    base_uselocale(previous);
    return text;
}
