/* What a scene has found, and its way out: the picture as a file, and one JSON object on standard output. */
#include "report.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEVICES = 64, FACTS = 512, NAMES = 8192, LIBRARIES = 1024, FRAMES = 15 };

struct drawing drawing;
int wanted_device = -1;
static const struct scene *scene;
static const char *target, *doing = "start";
static int output;
static double began;
static char devices[DEVICES][TEXT], facts[FACTS][TEXT];
static int device_count, fact_count, name_count;
static char *names[NAMES];

/* By system call: the function has a newer version than others of libc, and was librt's before. */
static double now_ms(void)
{
    struct timespec t = {0};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void begin_report(const struct scene *s, const char *picture, int to)
{
    began = now_ms();
    scene = s;
    target = picture;
    output = to;
}

void step(const char *what) { doing = what; }

void set_text(char *to, const char *from)
{
    size_t n = from ? strnlen(from, TEXT - 1) : 0;
    memcpy(to, from ? from : "", n);
    to[n] = 0;
}

void add_device(const char *name)
{
    if (device_count < DEVICES)
        set_text(devices[device_count++], name);
}

void add_fact(const char *format, ...)
{
    va_list list;
    if (fact_count == FACTS)
        return;
    va_start(list, format);
    vsnprintf(facts[fact_count++], TEXT, format, list);
    va_end(list);
}

static void add_name(const char *name, size_t n)
{
    char *copy;
    if (n == 0 || n >= TEXT || name_count == NAMES || !(copy = malloc(n + 1)))
        return;
    memcpy(copy, name, n);
    copy[n] = 0;
    names[name_count++] = copy;
}

void add_extension(const char *name)
{
    if (name)
        add_name(name, strnlen(name, TEXT));
}

void add_extensions(const char *text)
{
    while (text && *text) {
        size_t n = strcspn(text, " ");
        add_name(text, n);
        text += n + (text[n] == ' ');
    }
}

bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; at && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    return false;
}

bool is_software(const char *renderer)
{
    static const char *const all[] = {"llvmpipe", "softpipe", "swrast", "lavapipe", "Software Rasterizer",
        "SwiftShader", "SWR"};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (strstr(renderer, all[k]))
            return true;
    return false;
}

/* Enough for a median, but never much longer than a quarter of a second: software may need that for one. */
void frames(void (*one)(void))
{
    double times[FRAMES], t, end;
    int n = 0;
    step("first frame");
    one();
    t = now_ms();
    drawing.start = t - began;
    end = t + 250;
    step("later frames");
    while (n < FRAMES && t < end) {
        double from = t, took;
        int k = n++;
        one();
        t = now_ms();
        for (took = t - from; k > 0 && times[k - 1] > took; k--)
            times[k] = times[k - 1];
        times[k] = took;
    }
    drawing.frame = times[n / 2];
}

/* --- JSON --- */

static struct {
    char *at;
    size_t used, size;
    bool comma;
} json;

static void put(const char *text, size_t n)
{
    if (json.used + n > json.size) {
        size_t size = 2 * (json.used + n) + 65536;
        char *more = realloc(json.at, size);
        if (!more)
            _exit(1); /* and no object: that is what the status says */
        json.at = more;
        json.size = size;
    }
    memcpy(json.at + json.used, text, n);
    json.used += n;
}

static void put_text(const char *text) { put(text, strlen(text)); }

/* The length of the UTF-8 character at s, or 0 where there is no valid one (RFC 3629). */
static int character(const unsigned char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    if (n < 2)
        return n;
    uint32_t c = s[0] & (0xffu >> (n + 1));
    for (int k = 1; k < n; k++) {
        if ((s[k] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[k] & 0x3f);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

/* A string. What is not UTF-8 becomes U+FFFD, each byte; a string that was cut in a character loses the rest of it so. */
static void put_string(const char *text)
{
    put("\"", 1);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int n = character(s);
        char code[8];
        if (n == 0) {
            put_text("\\ufffd");
            n = 1;
        } else if (*s == '"' || *s == '\\') {
            put("\\", 1);
            put((const char *)s, 1);
        } else if (*s < 0x20 || *s == 0x7f) {
            snprintf(code, sizeof code, "\\u%04x", *s);
            put_text(code);
        } else {
            put((const char *)s, (size_t)n);
        }
        s += n;
    }
    put("\"", 1);
}

static void key(const char *name)
{
    put_text(json.comma ? ",\"" : "{\"");
    put_text(name);
    put_text("\":");
    json.comma = true;
}

static void field(const char *name, const char *text)
{
    if (*text) {
        key(name);
        put_string(text);
    }
}

static void number(const char *name, double value)
{
    char text[64];
    if (!(value > 0 && value < 1e9))
        return;
    /* Not %f: the decimal point is the locale's, if a library sets one. */
    int whole = (int)value;
    snprintf(text, sizeof text, "%d.%03d", whole, (int)((value - whole) * 1000));
    key(name);
    put_text(text);
}

static void list(const char *name, int n, const char *(*get)(int))
{
    if (n == 0)
        return;
    key(name);
    for (int k = 0; k < n; k++) {
        put_text(k ? "," : "[");
        put_string(get(k));
    }
    put_text("]");
}

static const char *libraries[LIBRARIES];
static const char *get_device(int k) { return devices[k]; }
static const char *get_fact(int k) { return facts[k]; }
static const char *get_library(int k) { return libraries[k]; }

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* FNV-1a, 64 bits, of the sorted names, each once, with line feeds between. */
static void put_extensions(void)
{
    uint64_t h = 0xcbf29ce484222325u;
    char text[32];
    int n = 0;
    if (name_count == 0)
        return;
    qsort(names, (size_t)name_count, sizeof *names, by_name);
    for (int k = 0; k < name_count; k++) {
        if (k && !strcmp(names[k], names[k - 1]))
            continue;
        if (n++)
            h = (h ^ '\n') * 0x100000001b3u;
        for (const char *s = names[k]; *s; s++)
            h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    }
    snprintf(text, sizeof text, "%d", n);
    key("extensions");
    put_text(text);
    snprintf(text, sizeof text, "%08x%08x", (unsigned)(h >> 32), (unsigned)h);
    field("extensions_digest", text);
}

static _Noreturn void end(const char *error, bool absent)
{
    field("api", scene->api);
    field("platform", drawing.platform ? drawing.platform : scene->platform);
    field("error", error);
    if (*error)
        field("step", doing);
    if (absent) {
        key("missing");
        put_text("true");
    }
    field("vendor", drawing.vendor);
    field("device", drawing.device);
    field("version", drawing.version);
    field("driver", drawing.driver);
    list("devices", device_count, get_device);
    if (drawing.software) {
        key("software");
        put_text("true");
    }
    put_extensions();
    list("facts", fact_count, get_fact);
    list("libraries", mapped_libraries(libraries, LIBRARIES), get_library);
    number("start_ms", drawing.start);
    number("frame_ms", drawing.frame);
    put_text("}\n");
    /* No exit handlers: what a driver does in them is not what was asked. */
    for (size_t at = 0; at < json.used;) {
        ssize_t n = write(output, json.at + at, json.used - at);
        if (n <= 0 && errno != EINTR)
            _exit(1);
        at += n > 0 ? (size_t)n : 0;
    }
    _exit(0);
}

void fail(const char *format, ...)
{
    char text[2 * TEXT];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    end(*text ? text : "failed", false);
}

void no_such_device(int n)
{
    step("choose a device");
    fail("there is no device %d: there are %d", wanted_device, n);
}

void missing(const char *text) { end(text, true); }

/* PAM (Netpbm, "pam"): a header in text, then the bytes. */
static void write_picture(const uint8_t *rgba)
{
    char head[128];
    int fd = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        fail("%s: errno %d", target, errno);
    int n = snprintf(head, sizeof head, "P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n", SIDE, SIDE);
    bool ok = write(fd, head, (size_t)n) == n;
    for (size_t at = 0; ok && at < PICTURE;) {
        ssize_t w = write(fd, rgba + at, PICTURE - at);
        ok = w > 0 || errno == EINTR;
        at += w > 0 ? (size_t)w : 0;
    }
    if (close(fd) || !ok)
        fail("%s: errno %d", target, errno);
}

void done(const uint8_t *rgba)
{
    step("write the picture");
    if (rgba)
        write_picture(rgba);
    end("", false);
}
