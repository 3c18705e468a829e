/* Running programs by path. What a driver starts is a process of its own, without a capsule. In the place of the host's
 * programs that the plan knows are scripts, which start them with the host's loader and libraries.
 *
 * What is legal here: the caller's stack, as the child of a vfork has it. polyfill_spawn.c has posix_spawn. */
#include <alloca.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"

PATH_WRAPPER(int, execv, (const char *path, char *const arguments[]), (const char *, char *const[]), MAPPED, arguments)
PATH_WRAPPER(int, execve, (const char *path, char *const arguments[], char *const environment[]),
             (const char *, char *const[], char *const[]), MAPPED, arguments, environment)

const char *root_map_program(const char *file, struct root_path *to)
{
    for (const char *c = file; c && *c; c++)
        if (*c == '/')
            return root_map_path(file, to);
    return file;
}

PATH_WRAPPER(int, execvp, (const char *file, char *const arguments[]), (const char *, char *const[]),
             root_map_program(file, &to_path), arguments)
PATH_WRAPPER(int, execvpe, (const char *file, char *const arguments[], char *const environment[]),
             (const char *, char *const[], char *const[]), root_map_program(file, &to_path), arguments, environment)

int polyfill_execveat(int dir, const char *path, char *const arguments[], char *const environment[],
                      int flags) __asm__("polyfill$execveat");
CAPSULE_IMPORT(int, execveat, (int, const char *, char *const[], char *const[], int));
CAPSULE_OVERRIDE(int, execveat,
                 (int dir, const char *path, char *const arguments[], char *const environment[], int flags))
{
    ROOT_PATH(to_path);
    path = MAPPED_AT;
    int result = base_execveat ? base_execveat(dir, path, arguments, environment, flags)
                               : polyfill_execveat(dir, path, arguments, environment, flags);
    root_path_free(&to_path);
    return result;
}

/* The arguments as an array; behind their NULL comes execle's environment. */
#define LISTED(name, call)                                                        \
    CAPSULE_OVERRIDE(int, name, (const char *path, const char *first, ...))       \
    {                                                                             \
        va_list list, again;                                                      \
        va_start(list, first);                                                    \
        va_copy(again, list);                                                     \
        size_t count = 1;                                                         \
        while (first && va_arg(again, char *))                                    \
            count++;                                                              \
        va_end(again);                                                            \
        char **arguments = alloca((count + 1) * sizeof *arguments);               \
        arguments[0] = (char *)first;                                             \
        for (size_t i = 1; first && i <= count; i++)                              \
            arguments[i] = va_arg(list, char *);                                  \
        char *const *environment = first ? va_arg_of_##name(list) : NULL;         \
        va_end(list);                                                             \
        (void)environment;                                                        \
        return call;                                                              \
    }
#define va_arg_of_execl(list) NULL
#define va_arg_of_execlp(list) NULL
#define va_arg_of_execle(list) va_arg(list, char *const *)

LISTED(execl, override_execv(path, arguments))
LISTED(execlp, override_execvp(path, arguments))
LISTED(execle, override_execve(path, arguments, environment))
