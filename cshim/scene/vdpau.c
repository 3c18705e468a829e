/*
 * VDPAU: what a driver says it can decode, and the scene, which the processor paints, copied from one surface of the driver
 * to another and read back. Types and numbers: VDPAU's documentation (vdpau.h of 1.0).
 */
#include "scene.h"
#include "x11.h"

#include <stdio.h>
#include <string.h>

enum {
    GET_ERROR_STRING = 0, GET_API_VERSION = 2, GET_INFORMATION_STRING = 4, SURFACE_CREATE = 18, SURFACE_GET_BITS = 21,
    SURFACE_PUT_BITS = 22, RENDER_SURFACE = 33, DECODER_CAPABILITIES = 36, BGRA8 = 0,
};

static int (*vdp_device_create_x11)(void *, int, uint32_t *, int (**)(uint32_t, uint32_t, void **));
static int (*get_proc_address)(uint32_t, uint32_t, void **);
static const char *(*get_error_string)(int);
static int (*surface_get_bits)(uint32_t, const void *, void *const *, const uint32_t *);
static int (*surface_put_bits)(uint32_t, const void *const *, const uint32_t *, const void *);
static int (*render_surface)(uint32_t, const void *, uint32_t, const void *, const void *, const void *, uint32_t);

static uint32_t device, from, to;
static uint8_t picture[PICTURE], result[PICTURE];

static void need(int status, const char *what)
{
    step(what);
    if (status)
        fail("%s: %s", what, get_error_string ? get_error_string(status) : "error of a device that is not there");
}

static void *function(uint32_t id)
{
    void *p = NULL;
    if (get_proc_address(device, id, &p) || !p)
        fail("the driver has no function %u", id);
    return p;
}

static void tell_decoders(void)
{
    static const struct {
        uint32_t id;
        const char *name;
    } profiles[] = {{0, "MPEG1"}, {1, "MPEG2 simple"}, {2, "MPEG2 main"}, {6, "H264 baseline"}, {7, "H264 main"},
        {8, "H264 high"},
        {9, "VC1 simple"}, {10, "VC1 main"}, {11, "VC1 advanced"}, {12, "MPEG4 part 2 SP"}, {13, "MPEG4 part 2 ASP"},
        {22, "H264 constrained baseline"}, {27, "VP9 profile 0"}, {29, "VP9 profile 2"}, {100, "HEVC main"},
        {101, "HEVC main 10"},
        {103, "HEVC main 12"}, {104, "HEVC main 444"}};
    int (*query)(uint32_t, uint32_t, int *, uint32_t *, uint32_t *, uint32_t *, uint32_t *);
    query = (__typeof__(query))function(DECODER_CAPABILITIES);
    for (size_t k = 0; k < sizeof profiles / sizeof *profiles; k++) {
        int yes = 0;
        uint32_t level = 0, blocks = 0, width = 0, height = 0;
        if (!query(device, profiles[k].id, &yes, &level, &blocks, &width, &height) && yes)
            add_fact("%s: decode, up to %ux%u", profiles[k].name, width, height);
    }
}

static void carry(void)
{
    static const uint32_t pitch = ROW;
    const void *out = picture;
    void *in = result;
    need(surface_put_bits(from, &out, &pitch, NULL), "VdpOutputSurfacePutBitsNative");
    need(render_surface(to, NULL, from, NULL, NULL, NULL, 0), "VdpOutputSurfaceRenderOutputSurface");
    need(surface_get_bits(to, NULL, &in, &pitch), "VdpOutputSurfaceGetBitsNative");
}

/* RGBA to BGRA, or back. */
static void turn(uint8_t *p)
{
    for (int k = 0; k < PICTURE; k += 4) {
        uint8_t red = p[k];
        p[k] = p[k + 2];
        p[k + 2] = red;
        p[k + 3] = 255;
    }
}

void draw_vdpau(void)
{
    uint32_t version = 0;
    const char *text = NULL;
    void *library = open_api("libvdpau.so.1");
    step("find the functions of VDPAU");
    NEED(library, vdp_device_create_x11);
    void *display = open_x11();
    step("vdp_device_create_x11");
    int status = vdp_device_create_x11(display, x11_screen(), &device, &get_proc_address);
    if (status)
        fail("no driver starts (error %d)", status);
    step("VdpGetProcAddress");
    get_error_string = (__typeof__(get_error_string))function(GET_ERROR_STRING);
    surface_get_bits = (__typeof__(surface_get_bits))function(SURFACE_GET_BITS);
    surface_put_bits = (__typeof__(surface_put_bits))function(SURFACE_PUT_BITS);
    render_surface = (__typeof__(render_surface))function(RENDER_SURFACE);
    int (*create)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t *);
    create = (__typeof__(create))function(SURFACE_CREATE);
    need(((int (*)(uint32_t *))function(GET_API_VERSION))(&version), "VdpGetApiVersion");
    need(((int (*)(const char **))function(GET_INFORMATION_STRING))(&text), "VdpGetInformationString");
    snprintf(drawing.version, TEXT, "%u", version);
    set_text(drawing.driver, text);
    tell_decoders();
    need(create(device, BGRA8, SIDE, SIDE, &from), "VdpOutputSurfaceCreate");
    need(create(device, BGRA8, SIDE, SIDE, &to), "VdpOutputSurfaceCreate");
    paint(picture);
    turn(picture);
    frames(carry);
    turn(result);
    done(result);
}
