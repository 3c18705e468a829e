/* Calls one function of libcapsuleasan.so.1. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *library = dlopen("libcapsuleasan.so.1", RTLD_NOW);
    void (*function)(void) = library && argc == 2 ? (void (*)(void))dlsym(library, argv[1]) : NULL;
    if (!function) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    function();
    puts("not noticed");
    return 0;
}
