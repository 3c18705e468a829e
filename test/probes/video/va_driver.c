/*
 * A VA-API driver without a GPU, built on the host's release: on X11 it asks the X server who it is, by the connection that
 * the program made. Its list of profiles is made up; it can do nothing with them. vaInitialize wants every function there.
 */
#include <X11/Xlib.h>
#include <stdio.h>
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
	return VA_STATUS_SUCCESS;
}
