/* What the wrappers of functions that take paths share: the path is mapped (paths.c), then the runtime's function does the
 * work. */
#ifndef CAPSULE_PATHS_H
#define CAPSULE_PATHS_H

#include "root.h"

/* PATH_WRAPPER(type, name, (parameters), (their types), arguments…): the arguments use MAPPED for path, or MAPPED_AT for
 * path relative to dir. */
#define PATH_WRAPPER(type, name, parameters, types, ...)   \
    CAPSULE_IMPORT(type, name, types);                     \
    CAPSULE_OVERRIDE(type, name, parameters)               \
    {                                                      \
        ROOT_PATH(to_path);                                \
        type result_ = base_##name(__VA_ARGS__);           \
        root_path_free(&to_path);                          \
        return result_;                                    \
    }
#define MAPPED root_map_path(path, &to_path)
#define MAPPED_AT root_map_at(dir, path, &to_path)

#endif
