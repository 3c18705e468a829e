/* posix_spawn: file actions of glibc 2.29 to 2.35, pidfd_spawn and control groups (2.39).
 *
 * An older runtime's posix_spawn passes over records it does not know, in silence. So the functions that add such
 * records are only half of the polyfill: inside the capsule posix_spawn is wrapped, and requests that hold a record
 * which the runtime has no function for are carried out here. All others go to the runtime. */
#include <unistd.h>

#include "paths.h"
#include "polyfill_spawn.h"

CAPSULE_IMPORT(void *, realloc, (void *, size_t));
CAPSULE_IMPORT(void, free, (void *));
CAPSULE_IMPORT(char *, strdup, (const char *));
CAPSULE_IMPORT(long, sysconf, (int));
CAPSULE_IMPORT(int, posix_spawn_file_actions_addchdir_np, (posix_spawn_file_actions_t *, const char *));
CAPSULE_IMPORT(int, posix_spawn_file_actions_addclosefrom_np, (posix_spawn_file_actions_t *, int));
CAPSULE_IMPORT(int, posix_spawn_file_actions_addtcsetpgrp_np, (posix_spawn_file_actions_t *, int));

#define GROW_BY 8 /* records; as the runtime's own functions do, which go on with the same array */

static struct __spawn_action *add(posix_spawn_file_actions_t *actions)
{
    if (actions->__used == actions->__allocated) {
        int count = actions->__allocated + GROW_BY;
        void *larger = base_realloc(actions->__actions, (size_t)count * sizeof(struct __spawn_action));
        if (!larger)
            return NULL;
        actions->__actions = larger;
        actions->__allocated = count;
    }
    return &actions->__actions[actions->__used++];
}

static int add_fd(posix_spawn_file_actions_t *actions, enum spawn_kind kind, int fd)
{
    struct __spawn_action *record = add(actions);
    if (!record)
        return ENOMEM;
    record->kind = kind;
    record->fd = fd;
    return 0;
}

static bool fd_valid(int fd)
{
    long limit = base_sysconf(_SC_OPEN_MAX);
    return fd >= 0 && (limit < 0 || fd < limit);
}

/* What the new process opens is mapped as for open. A relative path counts from where that process will be, which a later
 * or an earlier action may change: it stays what it is. */
CAPSULE_IMPORT(int, posix_spawn_file_actions_addopen,
               (posix_spawn_file_actions_t *, int, const char *, int, mode_t));
CAPSULE_OVERRIDE(int, posix_spawn_file_actions_addopen,
                 (posix_spawn_file_actions_t * actions, int fd, const char *path, int flags, mode_t mode))
{
    ROOT_PATH(to_path);
    const char *to = *path == '/' ? MAPPED : path;
    int error = base_posix_spawn_file_actions_addopen(actions, fd, to, flags, mode);
    /* Before 2.20 the record holds the caller's string, not a copy (bug 17048); nobody would free this one. */
    struct __spawn_action *record = &actions->__actions[actions->__used - 1];
    if (!error && to != path && record->open.path == to) {
        record->open.path = base_strdup(to);
        if (!record->open.path) {
            actions->__used--;
            error = ENOMEM;
        }
    }
    root_path_free(&to_path);
    return error;
}

/* A posix_spawn_file_actions_destroy before 2.29 does not free this copy. */
CAPSULE_POLYFILL(int, posix_spawn_file_actions_addchdir_np, (posix_spawn_file_actions_t * actions, const char *path))
{
    char *copy = base_strdup(path);
    struct __spawn_action *record = copy ? add(actions) : NULL;
    if (!record) {
        base_free(copy);
        return ENOMEM;
    }
    record->kind = SPAWN_CHDIR;
    record->path = copy;
    return 0;
}

CAPSULE_POLYFILL(int, posix_spawn_file_actions_addfchdir_np, (posix_spawn_file_actions_t * actions, int fd))
{
    return add_fd(actions, SPAWN_FCHDIR, fd);
}

CAPSULE_POLYFILL(int, posix_spawn_file_actions_addclosefrom_np, (posix_spawn_file_actions_t * actions, int first))
{
    return fd_valid(first) ? add_fd(actions, SPAWN_CLOSEFROM, first) : EBADF;
}

CAPSULE_POLYFILL(int, posix_spawn_file_actions_addtcsetpgrp_np, (posix_spawn_file_actions_t * actions, int terminal))
{
    return fd_valid(terminal) ? add_fd(actions, SPAWN_TCSETPGRP, terminal) : EBADF;
}

/* Releases added kinds in their order, so the runtime knows all before the first that it lacks. */
static bool runtime_knows_all(const posix_spawn_file_actions_t *actions)
{
    if (!actions || base_posix_spawn_file_actions_addtcsetpgrp_np)
        return true;
    int unknown = base_posix_spawn_file_actions_addclosefrom_np ? SPAWN_TCSETPGRP
                  : base_posix_spawn_file_actions_addchdir_np   ? SPAWN_CLOSEFROM
                                                                : SPAWN_CHDIR;
    for (int i = 0; i < actions->__used; i++)
        if (actions->__actions[i].kind >= unknown)
            return false;
    return true;
}

#define REQUEST(search, pid, pidfd) \
    (&(struct spawn){file, search, actions, attributes, arguments, environment, pid, pidfd})
#define SPAWN_PARAMETERS(type, result)                                                                      \
    (type * result, const char *file, const posix_spawn_file_actions_t *actions,                            \
     const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
#define SPAWN_TYPES(type)                                                                                   \
    (type *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[])

#define SPAWN(name, pidfd_name, search)                                                                     \
    CAPSULE_IMPORT(int, name, SPAWN_TYPES(pid_t));                                                          \
    CAPSULE_OVERRIDE(int, name, SPAWN_PARAMETERS(pid_t, pid))                                               \
    {                                                                                                       \
        ROOT_PATH(to_path);                                                                                 \
        file = search ? root_map_program(file, &to_path) : root_map_path(file, &to_path);                   \
        int error = runtime_knows_all(actions)                                                              \
                        ? base_##name(pid, file, actions, attributes, arguments, environment)               \
                        : spawn_process(REQUEST(search, pid, NULL));                                        \
        root_path_free(&to_path);                                                                           \
        return error;                                                                                       \
    }                                                                                                       \
    CAPSULE_POLYFILL(int, pidfd_name, SPAWN_PARAMETERS(int, pidfd))                                         \
    {                                                                                                       \
        int unwanted;                                                                                       \
        return spawn_process(REQUEST(search, NULL, pidfd ? pidfd : &unwanted));                             \
    }                                                                                                       \
    CAPSULE_IMPORT(int, pidfd_name, SPAWN_TYPES(int));                                                      \
    CAPSULE_OVERRIDE(int, pidfd_name, SPAWN_PARAMETERS(int, pidfd))                                         \
    {                                                                                                       \
        ROOT_PATH(to_path);                                                                                 \
        file = search ? root_map_program(file, &to_path) : root_map_path(file, &to_path);                   \
        int error = (base_##pidfd_name ? base_##pidfd_name : polyfill_##pidfd_name)(                        \
            pidfd, file, actions, attributes, arguments, environment);                                      \
        root_path_free(&to_path);                                                                           \
        return error;                                                                                       \
    }

SPAWN(posix_spawn, pidfd_spawn, false)
SPAWN(posix_spawnp, pidfd_spawnp, true)

/* Kept where 2.39 keeps it, in the first spare word. A runtime's posix_spawnattr_setflags before 2.39 refuses
 * POSIX_SPAWN_SETCGROUP with EINVAL, so no request ever asks for it to be used. */
CAPSULE_POLYFILL(int, posix_spawnattr_setcgroup_np, (posix_spawnattr_t * attributes, int cgroup))
{
    *(int *)((char *)attributes + offsetof(posix_spawnattr_t, __policy) + sizeof(int)) = cgroup;
    return 0;
}

CAPSULE_POLYFILL(int, posix_spawnattr_getcgroup_np, (const posix_spawnattr_t *attributes, int *cgroup))
{
    *cgroup = *(const int *)((const char *)attributes + offsetof(posix_spawnattr_t, __policy) + sizeof(int));
    return 0;
}
