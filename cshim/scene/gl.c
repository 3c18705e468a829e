/* The scene by OpenGL or OpenGL ES, with whatever context is current. */
#include "gl.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRIANGLE_MODE = 4, LESS = 0x201, DEPTH_TEST = 0xb71, TEXTURE_2D = 0xde1, UNSIGNED_BYTE = 0x1401, FLOAT = 0x1406,
    RGBA = 0x1908, RGBA8 = 0x8058, VENDOR = 0x1f00, RENDERER = 0x1f01, VERSION = 0x1f02, EXTENSIONS = 0x1f03,
    NUM_EXTENSIONS = 0x821d, LINEAR = 0x2601, MAG_FILTER = 0x2800, MIN_FILTER = 0x2801, WRAP_S = 0x2802, WRAP_T = 0x2803,
    CLAMP_TO_EDGE = 0x812f, DEPTH_BIT = 0x100, COLOR_BIT = 0x4000, ARRAY_BUFFER = 0x8892, STATIC_DRAW = 0x88e4,
    FRAGMENT_SHADER = 0x8b30, VERTEX_SHADER = 0x8b31, COMPILE_STATUS = 0x8b81, LINK_STATUS = 0x8b82, FRAMEBUFFER = 0x8d40,
    RENDERBUFFER = 0x8d41, COLOR_ATTACHMENT0 = 0x8ce0, DEPTH_ATTACHMENT = 0x8d00, FRAMEBUFFER_COMPLETE = 0x8cd5,
    DEPTH_COMPONENT16 = 0x81a5, DEPTH_COMPONENT24 = 0x81a6, DITHER = 0xbd0, MULTISAMPLE = 0x809d,
};

static unsigned (*glGetError)(void);
static const unsigned char *(*glGetString)(unsigned);
static const unsigned char *(*glGetStringi)(unsigned, unsigned);
static void (*glGetIntegerv)(unsigned, int *);
static unsigned (*glCreateShader)(unsigned);
static void (*glShaderSource)(unsigned, int, const char *const *, const int *);
static void (*glCompileShader)(unsigned);
static void (*glGetShaderiv)(unsigned, unsigned, int *);
static void (*glGetShaderInfoLog)(unsigned, int, int *, char *);
static unsigned (*glCreateProgram)(void);
static void (*glAttachShader)(unsigned, unsigned);
static void (*glBindAttribLocation)(unsigned, unsigned, const char *);
static void (*glLinkProgram)(unsigned);
static void (*glGetProgramiv)(unsigned, unsigned, int *);
static void (*glGetProgramInfoLog)(unsigned, int, int *, char *);
static void (*glUseProgram)(unsigned);
static void (*glGenVertexArrays)(int, unsigned *);
static void (*glBindVertexArray)(unsigned);
static void (*glGenBuffers)(int, unsigned *);
static void (*glBindBuffer)(unsigned, unsigned);
static void (*glBufferData)(unsigned, intptr_t, const void *, unsigned);
static void (*glVertexAttribPointer)(unsigned, int, unsigned, unsigned char, int, const void *);
static void (*glEnableVertexAttribArray)(unsigned);
static void (*glGenTextures)(int, unsigned *);
static void (*glBindTexture)(unsigned, unsigned);
static void (*glTexImage2D)(unsigned, int, int, int, int, int, unsigned, unsigned, const void *);
static void (*glTexParameteri)(unsigned, unsigned, int);
static void (*glGenFramebuffers)(int, unsigned *);
static void (*glBindFramebuffer)(unsigned, unsigned);
static void (*glFramebufferTexture2D)(unsigned, unsigned, unsigned, unsigned, int);
static void (*glGenRenderbuffers)(int, unsigned *);
static void (*glBindRenderbuffer)(unsigned, unsigned);
static void (*glRenderbufferStorage)(unsigned, unsigned, int, int);
static void (*glFramebufferRenderbuffer)(unsigned, unsigned, unsigned, unsigned);
static unsigned (*glCheckFramebufferStatus)(unsigned);
static void (*glViewport)(int, int, int, int);
static void (*glEnable)(unsigned);
static void (*glDisable)(unsigned);
static void (*glDepthFunc)(unsigned);
static void (*glClearColor)(float, float, float, float);
static void (*glClear)(unsigned);
static void (*glDrawArrays)(unsigned, int, int);
static void (*glReadPixels)(int, int, int, int, unsigned, unsigned, void *);

/* In the order of their declarations. Those of 3.0 may be missing before that, and in ES 2. */
static const struct {
    void *slot;
    const char *name;
    bool late;
} functions[] = {
#define F(name) {&name, #name, false}
#define LATE(name) {&name, #name, true}
    F(glGetError), F(glGetString), LATE(glGetStringi), F(glGetIntegerv), F(glCreateShader), F(glShaderSource),
    F(glCompileShader), F(glGetShaderiv), F(glGetShaderInfoLog), F(glCreateProgram), F(glAttachShader),
    F(glBindAttribLocation), F(glLinkProgram), F(glGetProgramiv), F(glGetProgramInfoLog), F(glUseProgram),
    LATE(glGenVertexArrays), LATE(glBindVertexArray), F(glGenBuffers), F(glBindBuffer), F(glBufferData),
    F(glVertexAttribPointer), F(glEnableVertexAttribArray), F(glGenTextures), F(glBindTexture), F(glTexImage2D),
    F(glTexParameteri), F(glGenFramebuffers), F(glBindFramebuffer), F(glFramebufferTexture2D), F(glGenRenderbuffers),
    F(glBindRenderbuffer), F(glRenderbufferStorage), F(glFramebufferRenderbuffer), F(glCheckFramebufferStatus),
    F(glViewport), F(glEnable), F(glDisable), F(glDepthFunc), F(glClearColor), F(glClear), F(glDrawArrays),
    F(glReadPixels),
};

/* The same text for all, with each language's words before it. */
static const char *const old_words = "#define IN_VERTEX attribute\n#define TO_PIXEL varying\n#define FROM_VERTEX varying\n"
                     "#define SAMPLE texture2D\n#define result gl_FragColor\n";
static const char *const new_words = "#define IN_VERTEX in\n#define TO_PIXEL out\n#define FROM_VERTEX in\n#define SAMPLE texture\n";
static const char *const heads[] = {
    [GL_CORE] = "#version 150\n",
    [GL_LEGACY] = "#version 120\n",
    [GL_ES3] = "#version 300 es\nprecision highp float;\n",
    [GL_ES2] = "#version 100\nprecision highp float;\n",
};

/* The picture's top is y = -1, GL's is 1; and depth is from -1 to 1 before the viewport. */
static const char *const vertex_text = "IN_VERTEX vec4 at, colour;\n"
                       "IN_VERTEX vec2 place;\n"
                       "TO_PIXEL vec4 light;\n"
                       "TO_PIXEL vec2 texel;\n"
                       "void main() {\n"
                       "  light = colour;\n"
                       "  texel = place;\n"
                       "  gl_Position = vec4(at.x, -at.y, 2.0 * at.z - 1.0, 1.0);\n"
                       "}\n";
static const char *const fragment_text = "FROM_VERTEX vec4 light;\n"
                     "FROM_VERTEX vec2 texel;\n"
                     "uniform sampler2D tile;\n"
                     "void main() { result = light * SAMPLE(tile, texel); }\n";

static enum gl_kind kind;
static void (*swap_buffers)(void);
static uint8_t pixels[PICTURE];

static bool is_new(void) { return kind == GL_CORE || kind == GL_ES3; }

static unsigned shader(unsigned program, unsigned type, const char *text)
{
    const char *const parts[] = {heads[kind], is_new() ? new_words : old_words,
                     is_new() && type == FRAGMENT_SHADER ? "out vec4 result;\n" : "", text};
    int ok = 0;
    unsigned s = glCreateShader(type);
    step(type == VERTEX_SHADER ? "compile the vertex shader" : "compile the fragment shader");
    glShaderSource(s, 4, parts, NULL);
    glCompileShader(s);
    glGetShaderiv(s, COMPILE_STATUS, &ok);
    if (!ok) {
        static char log[TEXT] = "";
        glGetShaderInfoLog(s, sizeof log, NULL, log);
        fail("glCompileShader: %s", log);
    }
    glAttachShader(program, s);
    return s;
}

static void make_program(void)
{
    static const char *const inputs[] = {"at", "colour", "place"};
    int ok = 0;
    unsigned p = glCreateProgram();
    shader(p, VERTEX_SHADER, vertex_text);
    shader(p, FRAGMENT_SHADER, fragment_text);
    step("link the shaders");
    for (unsigned k = 0; k < 3; k++)
        glBindAttribLocation(p, k, inputs[k]);
    glLinkProgram(p);
    glGetProgramiv(p, LINK_STATUS, &ok);
    if (!ok) {
        static char log[TEXT] = "";
        glGetProgramInfoLog(p, sizeof log, NULL, log);
        fail("glLinkProgram: %s", log);
    }
    glUseProgram(p); /* its one sampler is 0, texture unit 0 */
}

static void make_vertices(void)
{
    unsigned object;
    step("make the vertex buffer");
    if (is_new()) {
        if (!glGenVertexArrays || !glBindVertexArray)
            fail("no glGenVertexArrays");
        glGenVertexArrays(1, &object);
        glBindVertexArray(object);
    }
    glGenBuffers(1, &object);
    glBindBuffer(ARRAY_BUFFER, object);
    glBufferData(ARRAY_BUFFER, sizeof figure()->vertices, figure()->vertices, STATIC_DRAW);
    glVertexAttribPointer(0, 4, FLOAT, 0, sizeof(struct vertex), (void *)offsetof(struct vertex, at));
    glVertexAttribPointer(1, 4, FLOAT, 0, sizeof(struct vertex), (void *)offsetof(struct vertex, colour));
    glVertexAttribPointer(2, 2, FLOAT, 0, sizeof(struct vertex), (void *)offsetof(struct vertex, place));
    for (unsigned k = 0; k < 3; k++)
        glEnableVertexAttribArray(k);
}

static unsigned make_texture(int side, const void *texels, int filter)
{
    unsigned t;
    glGenTextures(1, &t);
    glBindTexture(TEXTURE_2D, t);
    glTexImage2D(TEXTURE_2D, 0, kind == GL_ES2 ? RGBA : RGBA8, side, side, 0, RGBA, UNSIGNED_BYTE, texels);
    glTexParameteri(TEXTURE_2D, MIN_FILTER, filter);
    glTexParameteri(TEXTURE_2D, MAG_FILTER, filter);
    glTexParameteri(TEXTURE_2D, WRAP_S, CLAMP_TO_EDGE);
    glTexParameteri(TEXTURE_2D, WRAP_T, CLAMP_TO_EDGE);
    return t;
}

static void make_target(void)
{
    unsigned frame, depth, colour = make_texture(SIDE, NULL, LINEAR);
    step("make the framebuffer");
    glGenRenderbuffers(1, &depth);
    glBindRenderbuffer(RENDERBUFFER, depth);
    glRenderbufferStorage(RENDERBUFFER, kind == GL_ES2 ? DEPTH_COMPONENT16 : DEPTH_COMPONENT24, SIDE, SIDE);
    glGenFramebuffers(1, &frame);
    glBindFramebuffer(FRAMEBUFFER, frame);
    glFramebufferTexture2D(FRAMEBUFFER, COLOR_ATTACHMENT0, TEXTURE_2D, colour, 0);
    glFramebufferRenderbuffer(FRAMEBUFFER, DEPTH_ATTACHMENT, RENDERBUFFER, depth);
    unsigned status = glCheckFramebufferStatus(FRAMEBUFFER);
    if (status != FRAMEBUFFER_COMPLETE)
        fail("glCheckFramebufferStatus: %#x", status);
}

static void describe(void)
{
    int n = 0;
    step("glGetString");
    set_text(drawing.vendor, (const char *)glGetString(VENDOR));
    set_text(drawing.device, (const char *)glGetString(RENDERER));
    set_text(drawing.version, (const char *)glGetString(VERSION));
    drawing.software = is_software(drawing.device);
    if (!is_new() || !glGetStringi) {
        add_extensions((const char *)glGetString(EXTENSIONS));
        return;
    }
    glGetIntegerv(NUM_EXTENSIONS, &n);
    for (int k = 0; k < n && k < 10000; k++)
        add_extension((const char *)glGetStringi(EXTENSIONS, (unsigned)k));
}

static void draw_frame(void)
{
    glClearColor(0, 0, 0, 1);
    glClear(COLOR_BIT | DEPTH_BIT);
    glDrawArrays(TRIANGLE_MODE, 0, VERTICES);
    glReadPixels(0, 0, SIDE, SIDE, RGBA, UNSIGNED_BYTE, pixels); /* waits for the frame's end */
    if (swap_buffers)
        swap_buffers();
}

void draw_gl(enum gl_kind of, gl_find find, void (*swap)(void))
{
    static uint8_t picture[PICTURE];
    kind = of;
    swap_buffers = swap;
    step("find the functions of GL");
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        void *p = find(functions[k].name);
        if (!p && !functions[k].late)
            fail("no %s", functions[k].name);
        memcpy(functions[k].slot, &p, sizeof p);
    }
    describe();
    make_program();
    make_vertices();
    if (!swap)
        make_target();
    step("make the texture");
    make_texture(TILE, figure()->tile, LINEAR);
    glViewport(0, 0, SIDE, SIDE);
    glDisable(DITHER);
    if (kind == GL_CORE || kind == GL_LEGACY)
        glDisable(MULTISAMPLE);
    glEnable(DEPTH_TEST);
    glDepthFunc(LESS);
    frames(draw_frame);
    step("draw");
    unsigned error = glGetError();
    if (error)
        fail("glGetError: %#x", error);
    for (int row = 0; row < SIDE; row++) { /* GL's first row is the lowest */
        uint8_t *to = picture + ROW * row;
        memcpy(to, pixels + ROW * (SIDE - 1 - row), ROW);
        for (int k = 3; k < ROW; k += 4)
            to[k] = 255; /* a window may have no alpha, or keep one */
    }
    done(picture);
}
