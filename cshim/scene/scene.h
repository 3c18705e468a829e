/*
 * capsule-scene draws one test scene through one API of the machine, and says what drew it. `capsule-run doctor` starts it
 * natively and, the same file, in the runtime through the capsule, and compares. It is linked with the C library alone, in its
 * base versions; all that is of graphics is opened by SONAME, as programs do that must start without it.
 *
 * One process draws one scene: whatever goes wrong, fail() writes what is known and ends it. A driver that crashes or hangs is
 * the caller's to deal with.
 */
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF(text, first) __attribute__((format(printf, text, first)))

/* The picture's width and height in pixels, the bytes of a row and of all; the texture's width and height in texels. */
enum { SIDE = 256, ROW = SIDE * 4, PICTURE = SIDE * ROW, TILE = 64 };

/* --- what is drawn (figure.c): the definition is there --- */

/* As vertex shaders take it: x and y from -1 (left, top) to 1 (right, bottom), z from 0 (near) to 1, w = 1; a colour; a place
 * in the texture from 0 to 1. */
struct vertex {
    float at[4], colour[4], place[2];
};

enum { TRIANGLES = 15, VERTICES = 3 * TRIANGLES };

/* A triangle as kernels take it: a pixel's centre (x, y in 1/16 of a pixel) is inside where all three edges, x*e[0] + y*e[1]
 * + e[2], are positive. A plane gives z, red, green, blue, u, v (in texels) of the pixel in column i and row j:
 * i*p[0] + j*p[1] + p[2]. */
struct setup {
    int32_t edge[3][3];
    float plane[6][3];
};

struct figure {
    struct vertex vertices[VERTICES];
    struct setup triangles[TRIANGLES];
    uint8_t tile[TILE * TILE * 4]; /* RGBA, the top row first */
};

const struct figure *figure(void);

/* The processor's own picture of it, for APIs that only carry pictures. RGBA, the top row first, as all pictures here. */
void paint(uint8_t *rgba);

/* --- what is reported (report.c) --- */

enum { TEXT = 512 }; /* bytes of any string, its end included */

/* The fields of Drawing in internal/doctor/report. */
struct drawing {
    char vendor[TEXT], device[TEXT], version[TEXT], driver[TEXT];
    bool software;
    double start, frame;
    const char *platform; /* where it is another one than the scene's own */
};
extern struct drawing drawing;

/* The device that was asked for, by its number in the report's list, or -1: the best. */
extern int wanted_device;
/* Where it is none of n. */
_Noreturn void no_such_device(int n);

/* What is being done, for fail: a literal. */
void step(const char *what);
_Noreturn void fail(const char *format, ...) PRINTF(1, 2);
/* The API is not there: its library cannot be found. */
_Noreturn void missing(const char *text);

/* How many there are in an array of max, by a driver's word. */
static inline int at_most(int64_t n, int max) { return n < 0 ? 0 : n < max ? (int)n : max; }
/* A driver's string, cut to TEXT; NULL is an empty one. */
void set_text(char *to, const char *from);
void add_device(const char *name);
void add_fact(const char *format, ...) PRINTF(1, 2);
void add_extension(const char *name);
void add_extensions(const char *names); /* with spaces between */
bool has_word(const char *words, const char *word);
bool is_software(const char *renderer);

/* Draws the first frame and some later ones, and takes their times. A frame is done when its picture could be read. */
void frames(void (*one)(void));

/* Ends a scene that was drawn, with its picture, or with NULL where there is none. */
_Noreturn void done(const uint8_t *rgba);

/* --- libraries (library.c) --- */

/* Opens the API's own library; calls missing() where there is none. Any other that is needed: fails. */
void *open_api(const char *soname);
void *open_library(const char *soname);
/* NULL where there is none. */
void *try_library(const char *soname);
void *need_symbol(void *library, const char *name);
void *find_symbol(void *library, const char *name); /* or NULL */
/* Puts function NAME of a library into the variable of the same name. */
#define NEED(library, name) (name = (__typeof__(name))need_symbol(library, #name))
#define FIND(library, name) (name = (__typeof__(name))find_symbol(library, #name))

/* The shared objects of the process, each path once; returns how many, at most max. They are never freed. */
int mapped_libraries(const char **paths, int max);

/* --- scenes --- */

void draw_gl_surfaceless(void);
void draw_gl_device(void);
void draw_gles_surfaceless(void);
void draw_glx(void);
void draw_egl_x11(void);
void draw_egl_wayland(void);
void draw_vulkan(void);
void draw_vulkan_x11(void);
void draw_vulkan_wayland(void);
void draw_opencl(void);
void draw_cuda(void);
void draw_va_api(void);
void draw_vdpau(void);

#endif
