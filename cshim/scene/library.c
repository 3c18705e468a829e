/* Libraries: opened by SONAME, as all programs open them, and listed as the kernel sees them. */
#include "scene.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *open_or(const char *soname, bool api)
{
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    if (library)
        return library;
    const char *why = dlerror();
    size_t n = strlen(soname);
    step(soname);
    /* "SONAME: cannot open shared object file: No such file or directory": not where another one is named, which it needs. */
    if (api && why && !strncmp(why, soname, n) && strstr(why, "No such file or directory"))
        missing(why);
    fail("%s", why ? why : "dlopen failed");
}

void *open_api(const char *soname) { return open_or(soname, true); }
void *open_library(const char *soname) { return open_or(soname, false); }
void *try_library(const char *soname) { return dlopen(soname, RTLD_NOW | RTLD_LOCAL); }

void *find_symbol(void *library, const char *name) { return dlsym(library, name); }

void *need_symbol(void *library, const char *name)
{
    void *p = dlsym(library, name);
    if (!p)
        fail("the library has no %s", name);
    return p;
}

static bool is_known(const char **paths, int n, const char *path)
{
    while (n-- > 0)
        if (!strcmp(paths[n], path))
            return true;
    return false;
}

/* NAME.so or NAME.so.VERSION. */
static bool is_shared_object(const char *path)
{
    const char *name = strrchr(path, '/');
    for (const char *at = name; at && (at = strstr(at, ".so")); at += 3)
        if (at[3] == 0 || at[3] == '.')
            return true;
    return false;
}

/* A line of /proc/PID/maps (proc(5)): range, modes, offset, device, inode, and a path if a file is mapped. */
int mapped_libraries(const char **paths, int max)
{
    static char text[1 << 20]; /* what does not fit is left out */
    size_t used = 0;
    ssize_t got;
    int n = 0, fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    while (used < sizeof text - 1 && (got = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    close(fd);
    text[used] = 0;
    for (char *line = text, *next; *line && n < max; line = next) {
        next = strchr(line, '\n');
        if (!next)
            break;
        *next++ = 0;
        char *path = strchr(line, '/');
        if (path && is_shared_object(path) && !is_known(paths, n, path))
            paths[n++] = path;
    }
    return n;
}
