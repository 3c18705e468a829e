/* Prints a line for each entry of libcapsulesymbols.so.1. Each has a process of its own, for some end it. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    void *library = dlopen(argc > 1 ? argv[1] : "libcapsulesymbols.so.1", RTLD_LAZY);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    int (*count)(void) = (int (*)(void))dlsym(library, "symbols_count");
    const char *(*name)(int) = (const char *(*)(int))dlsym(library, "symbols_name");
    void (*print)(int) = (void (*)(int))dlsym(library, "symbols_print");
    if (!count || !name || !print)
        return 1;
    for (int i = 0, n = count(); i < n; i++) {
        printf("%s:", name(i));
        fflush(stdout);
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (!child) {
            alarm(20);
            print(i);
            _exit(0);
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child)
            return 1;
        if (status)
            printf(" ended with wait status %d\n", status);
    }
    return 0;
}
