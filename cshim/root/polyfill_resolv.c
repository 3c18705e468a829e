/* The resolver (glibc 2.34): when it moved into libc its functions got the names that programs write. Before, res_query
 * was a macro for __res_query, and these names exist in libresolv.so.2 (resolv/resolv.h). */
#include <resolv.h>

#include "polyfill.h"

/* resolv.h of an older build machine has the macros; only the names with underscores are wanted here. */
#undef dn_comp
#undef dn_expand
#undef dn_skipname
#undef res_dnok
#undef res_hnok
#undef res_mailok
#undef res_ownok
#undef res_mkquery
#undef res_nmkquery
#undef res_nquery
#undef res_nquerydomain
#undef res_nsearch
#undef res_nsend
#undef res_query
#undef res_querydomain
#undef res_search
#undef res_send

/* failure: what the function returns, with errno ENOSYS, on a runtime without libresolv. */
#define RESOLVER(name, failure, parameters, types, ...)                            \
    CAPSULE_IMPORT_LATE(LIBRESOLV, int, __##name, types);                          \
    CAPSULE_POLYFILL(int, name, parameters)                                        \
    {                                                                              \
        int(*function) types = LATE(LIBRESOLV, __##name);                          \
        if (!function) {                                                           \
            set_errno(ENOSYS);                                                     \
            return failure;                                                        \
        }                                                                          \
        return function(__VA_ARGS__);                                              \
    }

typedef unsigned char byte;

RESOLVER(dn_comp, -1, (const char *name, byte *to, int size, byte **names, byte **names_end),
         (const char *, byte *, int, byte **, byte **), name, to, size, names, names_end)
RESOLVER(dn_expand, -1, (const byte *message, const byte *end, const byte *from, char *to, int size),
         (const byte *, const byte *, const byte *, char *, int), message, end, from, to, size)
RESOLVER(dn_skipname, -1, (const byte *from, const byte *end), (const byte *, const byte *), from, end)

RESOLVER(res_dnok, 0, (const char *name), (const char *), name)
RESOLVER(res_hnok, 0, (const char *name), (const char *), name)
RESOLVER(res_mailok, 0, (const char *name), (const char *), name)
RESOLVER(res_ownok, 0, (const char *name), (const char *), name)

RESOLVER(res_mkquery, -1,
         (int operation, const char *name, int class, int type, const byte *data, int data_size, const byte *record,
          byte *to, int size),
         (int, const char *, int, int, const byte *, int, const byte *, byte *, int), operation, name, class, type,
         data, data_size, record, to, size)
RESOLVER(res_query, -1, (const char *name, int class, int type, byte *to, int size),
         (const char *, int, int, byte *, int), name, class, type, to, size)
RESOLVER(res_querydomain, -1, (const char *name, const char *domain, int class, int type, byte *to, int size),
         (const char *, const char *, int, int, byte *, int), name, domain, class, type, to, size)
RESOLVER(res_search, -1, (const char *name, int class, int type, byte *to, int size),
         (const char *, int, int, byte *, int), name, class, type, to, size)
RESOLVER(res_send, -1, (const byte *message, int message_size, byte *to, int size),
         (const byte *, int, byte *, int), message, message_size, to, size)

RESOLVER(res_nmkquery, -1,
         (res_state state, int operation, const char *name, int class, int type, const byte *data, int data_size,
          const byte *record, byte *to, int size),
         (res_state, int, const char *, int, int, const byte *, int, const byte *, byte *, int), state, operation,
         name, class, type, data, data_size, record, to, size)
RESOLVER(res_nquery, -1, (res_state state, const char *name, int class, int type, byte *to, int size),
         (res_state, const char *, int, int, byte *, int), state, name, class, type, to, size)
RESOLVER(res_nquerydomain, -1,
         (res_state state, const char *name, const char *domain, int class, int type, byte *to, int size),
         (res_state, const char *, const char *, int, int, byte *, int), state, name, domain, class, type, to, size)
RESOLVER(res_nsearch, -1, (res_state state, const char *name, int class, int type, byte *to, int size),
         (res_state, const char *, int, int, byte *, int), state, name, class, type, to, size)
RESOLVER(res_nsend, -1, (res_state state, const byte *message, int message_size, byte *to, int size),
         (res_state, const byte *, int, byte *, int), state, message, message_size, to, size)
