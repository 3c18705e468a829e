/*
 * VA-API: what a driver says it can do, and the scene, which the processor paints, carried to a surface of the driver and
 * back, if the driver has surfaces of RGB. Types and numbers: libva's documentation ("Core API", va.h of 2.0).
 */
#include "scene.h"
#include "wayland.h"
#include "x11.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILES = 256, ENTRIES = 64, FORMATS = 256, NODES = 16, FIRST_NODE = 128, RGB32 = 0x20000 };

struct format { /* VAImageFormat */
    uint32_t fourcc, order, bits, depth, red, green, blue, alpha, reserved[4];
};
struct image { /* VAImage */
    uint32_t id;
    struct format format;
    uint32_t buffer;
    uint16_t width, height;
    uint32_t size, planes, pitches[3], offsets[3];
    int32_t palette, entry_bytes;
    int8_t order[4];
    uint32_t reserved[4];
};
_Static_assert(sizeof(struct image) == 120, "VAImage");

static int (*vaInitialize)(void *, int *, int *);
static const char *(*vaErrorStr)(int);
static const char *(*vaQueryVendorString)(void *);
static int (*vaMaxNumProfiles)(void *);
static int (*vaMaxNumEntrypoints)(void *);
static int (*vaMaxNumImageFormats)(void *);
static int (*vaQueryConfigProfiles)(void *, int *, int *);
static int (*vaQueryConfigEntrypoints)(void *, int, int *, int *);
static int (*vaQueryImageFormats)(void *, struct format *, int *);
static int (*vaCreateSurfaces)(void *, unsigned, unsigned, unsigned, uint32_t *, unsigned, void *, unsigned);
static int (*vaCreateImage)(void *, struct format *, int, int, struct image *);
static int (*vaMapBuffer)(void *, uint32_t, void **);
static int (*vaUnmapBuffer)(void *, uint32_t);
static int (*vaPutImage)(void *, uint32_t, uint32_t, int, int, unsigned, unsigned, int, int, unsigned, unsigned);
static int (*vaGetImage)(void *, uint32_t, int, int, unsigned, unsigned, uint32_t);
static int (*vaSyncSurface)(void *, uint32_t);

static void *display;
static char reason[TEXT]; /* of the last display that has no driver */
static struct image there, back;
static uint32_t surface;
static uint8_t picture[PICTURE], result[PICTURE];

static const char *text_of(int status)
{
    const char *text = vaErrorStr(status);
    return text ? text : "unknown error";
}

static bool start(void *d, const char *platform)
{
    int major, minor, status;
    if (!d)
        return false;
    step("vaInitialize");
    drawing.platform = platform;
    status = vaInitialize(d, &major, &minor);
    if (status) {
        snprintf(reason, sizeof reason, "vaInitialize: %s", text_of(status));
        return false;
    }
    display = d;
    snprintf(drawing.version, TEXT, "%d.%d", major, minor);
    return true;
}

/* A render node of the kernel's (drm-uapi), then the display of a session. */
static void open_va(void)
{
    void *(*vaGetDisplayDRM)(int), *(*vaGetDisplay)(void *), *(*vaGetDisplayWl)(void *);
    void *drm = try_library("libva-drm.so.2"), *x11 = try_library("libva-x11.so.2"),
        *wayland = try_library("libva-wayland.so.2");
    bool tried = false;
    for (int k = FIRST_NODE; drm && FIND(drm, vaGetDisplayDRM) && k < FIRST_NODE + NODES; k++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/dri/renderD%d", k);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        tried = true;
        if (start(vaGetDisplayDRM(fd), "device"))
            return;
    }
    const char *name = getenv("DISPLAY");
    if (x11 && name && *name && FIND(x11, vaGetDisplay)) {
        tried = true;
        if (start(vaGetDisplay(open_x11()), "x11"))
            return;
    }
    name = getenv("WAYLAND_DISPLAY");
    if (wayland && name && *name && FIND(wayland, vaGetDisplayWl)) {
        tried = true;
        if (start(vaGetDisplayWl(open_wayland()), "wayland"))
            return;
    }
    step("vaInitialize");
    if (tried)
        fail("%s", *reason ? reason : "libva makes no display");
    fail("no render node in /dev/dri can be opened, and there is no DISPLAY or WAYLAND_DISPLAY");
}

/* "H264High: decode, encode". Numbers without a name here are as they are. */
static void tell_profile(int profile)
{
    static const char *const names[] = {"MPEG2Simple", "MPEG2Main", "MPEG4Simple", "MPEG4AdvancedSimple", "MPEG4Main",
        "H264Baseline", "H264Main", "H264High", "VC1Simple", "VC1Main", "VC1Advanced", "H263Baseline",
        "JPEGBaseline", "H264ConstrainedBaseline", "VP8", "H264MultiviewHigh", "H264StereoHigh", "HEVCMain",
        "HEVCMain10", "VP9Profile0", "VP9Profile1", "VP9Profile2", "VP9Profile3", "HEVCMain12", "HEVCMain422_10",
        "HEVCMain422_12", "HEVCMain444", "HEVCMain444_10", "HEVCMain444_12", "HEVCSccMain", "HEVCSccMain10",
        "HEVCSccMain444", "AV1Profile0", "AV1Profile1", "HEVCSccMain444_10", "Protected", "H264High10", "VVCMain10",
        "VVCMultilayerMain10"};
    static const char *const entries[] = {[1] = "decode", [6] = "encode", [7] = "encode pictures",
                          [8] = "encode (low power)", [10] = "video processing",
                          [14] = "protected content"};
    enum { NAMES = sizeof names / sizeof *names, WAYS = sizeof entries / sizeof *entries };
    int all[ENTRIES], n = 0, used;
    char text[TEXT];
    if (vaMaxNumEntrypoints(display) > ENTRIES || vaQueryConfigEntrypoints(display, profile, all, &n))
        return;
    if (profile >= 0 && profile < NAMES)
        used = snprintf(text, sizeof text, "%s:", names[profile]);
    else
        used = snprintf(text, sizeof text, profile == -1 ? "no profile:" : "profile %d:", profile);
    for (int k = 0; k < n && k < ENTRIES && used < (int)sizeof text - 40; k++) {
        const char *way = all[k] >= 0 && all[k] < WAYS ? entries[all[k]] : NULL, *comma = k ? "," : "";
        used += way ? snprintf(text + used, 40, "%s %s", comma, way)
                : snprintf(text + used, 40, "%s entry point %d", comma, all[k]);
    }
    add_fact("%s", text);
}

static void tell_profiles(void)
{
    int all[PROFILES], n = 0;
    step("vaQueryConfigProfiles");
    if (vaMaxNumProfiles(display) > PROFILES || vaQueryConfigProfiles(display, all, &n))
        fail("the driver does not tell its profiles");
    for (int k = 0; k < n && k < PROFILES; k++)
        tell_profile(all[k]);
}

/* The driver cannot do something: then there is no picture, which is no mistake. */
static void can(int status, const char *what)
{
    if (!status)
        return;
    add_fact("no picture: %s: %s", what, text_of(status));
    done(NULL);
}

/* From the picture to an image's bytes, or back. */
static void copy(const struct image *i, bool out)
{
    uint8_t *at;
    int red = i->format.fourcc >> 8 == ('B' | 'G' << 8 | 'R' << 16) >> 8 ? 2 : 0;
    can(vaMapBuffer(display, i->buffer, (void **)&at), "vaMapBuffer");
    for (int row = 0; row < SIDE; row++)
        for (int k = 0; k < SIDE; k++) {
            uint8_t *p = at + i->offsets[0] + (size_t)i->pitches[0] * (size_t)row + 4 * (size_t)k;
            uint8_t *mine = (out ? picture : result) + ROW * row + 4 * k;
            for (int c = 0; c < 4; c++) {
                int theirs = c == 0 ? red : c == 2 ? 2 - red : c;
                if (out)
                    p[theirs] = mine[c];
                else
                    mine[c] = c == 3 ? 255 : p[theirs];
            }
        }
    can(vaUnmapBuffer(display, i->buffer), "vaUnmapBuffer");
}

static void carry(void)
{
    copy(&there, true);
    can(vaPutImage(display, surface, there.id, 0, 0, SIDE, SIDE, 0, 0, SIDE, SIDE), "vaPutImage");
    can(vaSyncSurface(display, surface), "vaSyncSurface");
    can(vaGetImage(display, surface, 0, 0, SIDE, SIDE, back.id), "vaGetImage");
    copy(&back, false);
}

static bool is_rgb(const struct format *f)
{
    static const char *const known[] = {"RGBA", "BGRA", "RGBX", "BGRX"};
    for (int k = 0; k < 4; k++)
        if (!memcmp(&f->fourcc, known[k], 4))
            return true;
    return false;
}

static void make_images(void)
{
    struct format all[FORMATS];
    int n = 0, k = 0;
    if (vaMaxNumImageFormats(display) > FORMATS || vaQueryImageFormats(display, all, &n))
        n = 0;
    n = at_most(n, FORMATS);
    while (k < n && !is_rgb(all + k))
        k++;
    if (k == n) {
        add_fact("no picture: the driver has no images of RGB");
        done(NULL);
    }
    can(vaCreateSurfaces(display, RGB32, SIDE, SIDE, &surface, 1, NULL, 0), "vaCreateSurfaces");
    can(vaCreateImage(display, all + k, SIDE, SIDE, &there), "vaCreateImage");
    can(vaCreateImage(display, all + k, SIDE, SIDE, &back), "vaCreateImage");
}

void draw_va_api(void)
{
    void *library = open_api("libva.so.2");
    step("find the functions of VA-API");
    NEED(library, vaInitialize);
    NEED(library, vaErrorStr);
    NEED(library, vaQueryVendorString);
    NEED(library, vaMaxNumProfiles);
    NEED(library, vaMaxNumEntrypoints);
    NEED(library, vaMaxNumImageFormats);
    NEED(library, vaQueryConfigProfiles);
    NEED(library, vaQueryConfigEntrypoints);
    NEED(library, vaQueryImageFormats);
    NEED(library, vaCreateSurfaces);
    NEED(library, vaCreateImage);
    NEED(library, vaMapBuffer);
    NEED(library, vaUnmapBuffer);
    NEED(library, vaPutImage);
    NEED(library, vaGetImage);
    NEED(library, vaSyncSurface);
    open_va();
    set_text(drawing.driver, vaQueryVendorString(display));
    tell_profiles();
    make_images();
    paint(picture);
    frames(carry);
    done(result);
}
