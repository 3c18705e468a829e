/* What posix_spawn is told to do: glibc's own records, which are the same in every release since 2.2 but for the
 * kinds at the end (posix/spawn_int.h). */
#ifndef CAPSULE_POLYFILL_SPAWN_H
#define CAPSULE_POLYFILL_SPAWN_H

#include <spawn.h>

#include "polyfill.h"

enum spawn_kind {
    SPAWN_CLOSE,
    SPAWN_DUP2,
    SPAWN_OPEN,
    SPAWN_CHDIR,     /* 2.29 */
    SPAWN_FCHDIR,    /* 2.29 */
    SPAWN_CLOSEFROM, /* 2.34 */
    SPAWN_TCSETPGRP, /* 2.35 */
};

struct __spawn_action {
    int kind;
    union {
        int fd; /* close, fchdir, closefrom (the first), tcsetpgrp (the terminal) */
        struct {
            int from, to;
        } dup2;
        struct {
            int fd;
            char *path;
            int flags;
            mode_t mode;
        } open;
        char *path; /* chdir */
    };
};

struct spawn {
    const char *file;
    bool search_path; /* file without a slash: look in PATH */
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
    char *const *arguments, *const *environment;
    pid_t *pid; /* NULL: not wanted */
    int *pidfd; /* NULL: not wanted */
};

/* posix_spawn with every kind of record. 0 or an error number. */
int spawn_process(const struct spawn *request);

#endif
