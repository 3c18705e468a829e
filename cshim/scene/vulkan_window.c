/* Vulkan in a window: the picture is drawn as without one, then copied to an image of a swapchain and shown. */
#include "vulkan.h"
#include "wayland.h"
#include "x11.h"

enum { IMAGES = 16, FORMATS = 128, MODES = 32, FIFO = 2, OPAQUE = 1, INHERIT = 8 };

static VkHandle surface, swapchain, images[IMAGES], acquired, drawn[IMAGES];
static VkCommandBuffer copies[IMAGES];
static uint32_t image_count;
static VkSurfaceInfo native;
static const char *make_native;

static void make_surface(void)
{
    vk_need(VK(make_native, (VkInstance, const VkSurfaceInfo *, const void *, VkHandle *))(vk_instance, &native, NULL,
        &surface), make_native);
}

static bool can_show(VkPhysicalDevice gpu, uint32_t family)
{
    uint32_t yes = 0;
    VkResult r = VK("vkGetPhysicalDeviceSurfaceSupportKHR", (VkPhysicalDevice, uint32_t, VkHandle, uint32_t *))(gpu, family,
        surface, &yes);
    return r == 0 && yes;
}

/* 8 bits a colour, in either order: a copy converts nothing. */
static VkSurfaceFormat choose_format(void)
{
    VkSurfaceFormat all[FORMATS];
    uint32_t n = FORMATS;
    vk_need(VK("vkGetPhysicalDeviceSurfaceFormatsKHR", (VkPhysicalDevice, VkHandle, uint32_t *,
        VkSurfaceFormat *))(vk_gpu, surface, &n, all), "vkGetPhysicalDeviceSurfaceFormatsKHR");
    for (int k = 0; k < at_most(n, FORMATS); k++)
        if (all[k].format == FORMAT_BGRA8 || all[k].format == FORMAT_RGBA8)
            return all[k];
    fail("the window has no format with 8 bits a colour");
}

/* The first of immediate, mailbox and FIFO that there is: FIFO always is, but a window that nobody sees may wait for ever. */
static int choose_mode(void)
{
    int all[MODES], best = FIFO;
    uint32_t n = MODES;
    vk_need(VK("vkGetPhysicalDeviceSurfacePresentModesKHR", (VkPhysicalDevice, VkHandle, uint32_t *, int *))(vk_gpu,
        surface, &n, all), "vkGetPhysicalDeviceSurfacePresentModesKHR");
    for (int k = 0; k < at_most(n, MODES); k++)
        if (all[k] >= 0 && all[k] < best)
            best = all[k];
    return best;
}

static void make_swapchain(VkSurfaceFormat format)
{
    VkSurfaceCapabilities c;
    vk_need(VK("vkGetPhysicalDeviceSurfaceCapabilitiesKHR", (VkPhysicalDevice, VkHandle,
        VkSurfaceCapabilities *))(vk_gpu, surface, &c), "vkGetPhysicalDeviceSurfaceCapabilitiesKHR");
    if (!(c.usages & IMAGE_TO))
        fail("the window's images cannot be copied to");
    /* A surface without a size of its own, as Wayland's, takes that of its pictures. */
    if (c.width != ~0u && (c.width != SIDE || c.height != SIDE))
        fail("the window has %u by %u pixels", c.width, c.height);
    VkSwapchainInfo info = {.sType = SWAPCHAIN_INFO, .surface = surface, .images = c.least + 1, .format = format.format,
                .space = format.space, .width = SIDE, .height = SIDE, .layers = 1, .usage = IMAGE_TO,
                .transform = (int)c.transform, .alpha = c.alphas & OPAQUE ? OPAQUE : INHERIT,
                .mode = choose_mode(), .clipped = 1};
    if (c.most && info.images > c.most)
        info.images = c.most;
    swapchain = vk_make("vkCreateSwapchainKHR", &info);
    image_count = IMAGES;
    vk_need(VK("vkGetSwapchainImagesKHR", (VkDevice, VkHandle, uint32_t *, VkHandle *))(vk_device, swapchain,
        &image_count, images), "vkGetSwapchainImagesKHR");
    image_count = (uint32_t)at_most(image_count, IMAGES);
}

static void record_copies(void)
{
    VkPlainInfo plain = {.sType = SEMAPHORE_INFO};
    VkLayers layers = {ASPECT_COLOUR, 0, 0, 1};
    VkImageCopy all = {.from = layers, .to = layers, .extent = {SIDE, SIDE, 1}};
    acquired = vk_make("vkCreateSemaphore", &plain);
    for (uint32_t k = 0; k < image_count; k++) {
        VkCommandBuffer c = copies[k] = vk_begin();
        drawn[k] = vk_make("vkCreateSemaphore", &plain);
        vk_barrier(c, images[k], STAGE_TRANSFER, STAGE_TRANSFER, 0, ACCESS_TO, 0, LAYOUT_TO);
        VK_VOID("vkCmdCopyImage", (VkCommandBuffer, VkHandle, int, VkHandle, int, uint32_t, const VkImageCopy *))(c,
            vk_target(), LAYOUT_FROM, images[k], LAYOUT_TO, 1, &all);
        vk_barrier(c, images[k], STAGE_TRANSFER, STAGE_BOTTOM, ACCESS_TO, 0, LAYOUT_TO, LAYOUT_PRESENT);
        vk_end(c);
    }
}

static void draw_and_show(void)
{
    uint32_t k = 0;
    vk_draw_once();
    vk_need(VK("vkAcquireNextImageKHR", (VkDevice, VkHandle, uint64_t, VkHandle, VkHandle, uint32_t *))(vk_device,
        swapchain, ~0ull, acquired, 0, &k), "vkAcquireNextImageKHR");
    if (k >= image_count)
        fail("there is no image %u of the window's", k);
    vk_submit(copies[k], acquired, drawn[k]);
    VkPresentInfo info = {.sType = PRESENT_INFO, .waits = 1, .wait = &drawn[k], .swapchains = 1,
        .swapchain = &swapchain, .image = &k};
    vk_need(VK("vkQueuePresentKHR", (VkQueue, const VkPresentInfo *))(vk_queue, &info), "vkQueuePresentKHR");
}

static _Noreturn void draw(const char *extension)
{
    vk_open(extension, make_surface, can_show);
    VkSurfaceFormat format = choose_format();
    vk_prepare(format.format);
    make_swapchain(format);
    record_copies();
    frames(draw_and_show);
    done(vk_picture());
}

/* The window comes after the library is known to be there, so that a missing one is not told as a missing display. */
void draw_vulkan_x11(void)
{
    open_api("libvulkan.so.1");
    void *display = open_x11();
    step("make a window");
    native = (VkSurfaceInfo){.sType = XLIB_SURFACE_INFO, .display = display, .window = x11_window_by_id(0)};
    make_native = "vkCreateXlibSurfaceKHR";
    draw("VK_KHR_xlib_surface");
}

void draw_vulkan_wayland(void)
{
    open_api("libvulkan.so.1");
    void *display = open_wayland();
    native = (VkSurfaceInfo){.sType = WAYLAND_SURFACE_INFO, .display = display, .window = (uintptr_t)wayland_surface()};
    make_native = "vkCreateWaylandSurfaceKHR";
    draw("VK_KHR_wayland_surface");
}
