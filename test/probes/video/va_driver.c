/*
 * A VA-API driver without a GPU, built on the host's release: on X11 it asks the X server who it is, by the connection that
 * the program made. Its list of profiles is made up; it can do nothing with them. It has one surface, of
 * RGB, and images to fill it from and read it to. vaInitialize wants every function there.
 */
#include <X11/Xlib.h>
#include <stdio.h>
#include <string.h>
#include <va/va_backend.h>

static const VAProfile profiles[] = {VAProfileNone, VAProfileH264Main, VAProfileJPEGBaseline};
static const VAEntrypoint entrypoints[] = {VAEntrypointVideoProc, VAEntrypointVLD, VAEntrypointEncPicture};
enum { COUNT = sizeof profiles / sizeof *profiles };

static VAStatus terminate(VADriverContextP ctx)
{
	(void)ctx;
	return VA_STATUS_SUCCESS;
}

static VAStatus query_profiles(VADriverContextP ctx, VAProfile *list, int *count)
{
	(void)ctx;
	for (*count = 0; *count < COUNT; ++*count)
		list[*count] = profiles[*count];
	return VA_STATUS_SUCCESS;
}

static VAStatus query_entrypoints(VADriverContextP ctx, VAProfile profile, VAEntrypoint *list, int *count)
{
	(void)ctx;
	*count = 0;
	for (int i = 0; i < COUNT; i++)
		if (profiles[i] == profile)
			list[(*count)++] = entrypoints[i];
	return *count ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
}

/* Images are BGRX; an image's number is its buffer's. */
enum { SIDE = 256, IMAGES = 2, BYTES = SIDE * SIDE * 4 };
static unsigned char surface[BYTES], images[IMAGES][BYTES];
static const VAImageFormat bgrx = {.fourcc = VA_FOURCC_BGRX, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 32, .depth = 24,
				   .red_mask = 0xff0000, .green_mask = 0xff00, .blue_mask = 0xff};

static VAStatus image_formats(VADriverContextP ctx, VAImageFormat *list, int *count)
{
	(void)ctx;
	list[0] = bgrx;
	*count = 1;
	return VA_STATUS_SUCCESS;
}

static VAStatus create_surface(VADriverContextP ctx, unsigned format, unsigned width, unsigned height, VASurfaceID *ids,
			       unsigned count, VASurfaceAttrib *attributes, unsigned n)
{
	(void)ctx, (void)attributes;
	if (format != VA_RT_FORMAT_RGB32 || width != SIDE || height != SIDE || count != 1 || n != 0)
		return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
	ids[0] = 7;
	return VA_STATUS_SUCCESS;
}

static VAStatus create_image(VADriverContextP ctx, VAImageFormat *format, int width, int height, VAImage *image)
{
	static unsigned used;
	(void)ctx;
	if (format->fourcc != bgrx.fourcc || width != SIDE || height != SIDE || used == IMAGES)
		return VA_STATUS_ERROR_INVALID_IMAGE_FORMAT;
	*image = (VAImage){.image_id = used, .format = bgrx, .buf = used, .width = SIDE, .height = SIDE, .data_size = BYTES,
			   .num_planes = 1, .pitches = {4 * SIDE}};
	used++;
	return VA_STATUS_SUCCESS;
}

static VAStatus map(VADriverContextP ctx, VABufferID id, void **at)
{
	(void)ctx;
	*at = images[id % IMAGES];
	return VA_STATUS_SUCCESS;
}

static VAStatus map_with_flags(VADriverContextP ctx, VABufferID id, void **at, uint32_t flags)
{
	(void)flags;
	return map(ctx, id, at);
}

static VAStatus unmap(VADriverContextP ctx, VABufferID id)
{
	(void)ctx, (void)id;
	return VA_STATUS_SUCCESS;
}

/* All of it, once: from an image to the surface, or back. */
static VAStatus put_image(VADriverContextP ctx, VASurfaceID id, VAImageID image, int x, int y, unsigned width, unsigned height,
			  int to_x, int to_y, unsigned to_width, unsigned to_height)
{
	(void)ctx, (void)id, (void)x, (void)y, (void)width, (void)height, (void)to_x, (void)to_y, (void)to_width, (void)to_height;
	memcpy(surface, images[image % IMAGES], BYTES);
	return VA_STATUS_SUCCESS;
}

static VAStatus get_image(VADriverContextP ctx, VASurfaceID id, int x, int y, unsigned width, unsigned height, VAImageID image)
{
	(void)ctx, (void)id, (void)x, (void)y, (void)width, (void)height;
	memcpy(images[image % IMAGES], surface, BYTES);
	return VA_STATUS_SUCCESS;
}

static VAStatus sync_surface(VADriverContextP ctx, VASurfaceID id)
{
	(void)ctx, (void)id;
	return VA_STATUS_SUCCESS;
}

static VAStatus refuse(void)
{
	return VA_STATUS_ERROR_UNIMPLEMENTED;
}

/* 1_0: libva looks for its own minor version and then for each before. */
__attribute__((visibility("default"))) VAStatus __vaDriverInit_1_0(VADriverContextP ctx)
{
	static char vendor[256];
	if ((ctx->display_type & VA_DISPLAY_MAJOR_MASK) != VA_DISPLAY_X11)
		return VA_STATUS_ERROR_INVALID_DISPLAY;
	Display *display = ctx->native_dpy;
	int screen = ctx->x11_screen;
	snprintf(vendor, sizeof vendor, "capsuletest on %s, %dx%d, release %d", XServerVendor(display),
		 XDisplayWidth(display, screen), XDisplayHeight(display, screen), XVendorRelease(display));
	ctx->str_vendor = vendor;
	ctx->version_major = 1;
	ctx->max_profiles = COUNT;
	ctx->max_entrypoints = ctx->max_attributes = ctx->max_image_formats = 1;
	ctx->max_subpic_formats = ctx->max_display_attributes = 1;

	struct VADriverVTable *v = ctx->vtable;
	void (**all)(void) = (void (**)(void))v;
	for (size_t i = 0; i < offsetof(struct VADriverVTable, reserved) / sizeof *all; i++)
		all[i] = (void (*)(void))refuse;
	v->vaTerminate = terminate;
	v->vaQueryConfigProfiles = query_profiles;
	v->vaQueryConfigEntrypoints = query_entrypoints;
	v->vaQueryImageFormats = image_formats;
	v->vaCreateSurfaces2 = create_surface;
	v->vaCreateImage = create_image;
	v->vaMapBuffer = map;
	v->vaMapBuffer2 = map_with_flags;
	v->vaUnmapBuffer = unmap;
	v->vaPutImage = put_image;
	v->vaGetImage = get_image;
	v->vaSyncSurface = sync_surface;
	return VA_STATUS_SUCCESS;
}
