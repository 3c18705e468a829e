/*
 * Vulkan 1.0 as far as the scene needs it. Layouts and numbers: Khronos' registry, vk.xml. Objects that are "dispatchable" are
 * pointers, all others have 64 bits everywhere. Fields that stay 0 are named as the registry names them.
 */
#ifndef VULKAN_H
#define VULKAN_H

#include "scene.h"

typedef void *VkInstance, *VkPhysicalDevice, *VkDevice, *VkQueue, *VkCommandBuffer;
typedef uint64_t VkHandle; /* of any kind that is not dispatchable */
typedef uint64_t VkDeviceSize;
typedef int VkResult;

enum { VK_INCOMPLETE = 5, VK_SUBOPTIMAL = 1000001003 };

/* VkStructureType */
enum {
    APPLICATION_INFO, INSTANCE_INFO, QUEUE_INFO, DEVICE_INFO, SUBMIT_INFO, MEMORY_INFO, FENCE_INFO = 8,
    SEMAPHORE_INFO = 9, BUFFER_INFO = 12, IMAGE_INFO = 14, VIEW_INFO = 15, SHADER_INFO = 16, STAGE_INFO = 18,
    VERTEX_INPUT_INFO, ASSEMBLY_INFO, VIEWPORT_INFO = 22, RASTER_INFO, MULTISAMPLE_INFO, DEPTH_INFO, BLEND_INFO,
    PIPELINE_INFO = 28, LAYOUT_INFO = 30, SAMPLER_INFO, SET_LAYOUT_INFO, POOL_INFO, SET_INFO, WRITE_SET,
    FRAMEBUFFER_INFO = 37, PASS_INFO, COMMAND_POOL_INFO, COMMANDS_INFO, BEGIN_INFO = 42, PASS_BEGIN_INFO,
    IMAGE_BARRIER = 45, MEMORY_BARRIER, PROPERTIES2 = 1000059001, DRIVER_PROPERTIES = 1000196000,
    SWAPCHAIN_INFO = 1000001000, PRESENT_INFO = 1000001001, XLIB_SURFACE_INFO = 1000004000,
    WAYLAND_SURFACE_INFO = 1000006000,
};

enum {
    FORMAT_RGBA8 = 37, FORMAT_BGRA8 = 44, FORMAT_RG32F = 103, FORMAT_RGBA32F = 109, FORMAT_D16 = 124, FORMAT_D32F = 126,
    FEATURE_DEPTH = 0x200, TYPE_INTEGRATED = 1, TYPE_DISCRETE, TYPE_VIRTUAL, TYPE_CPU, MEMORY_VISIBLE = 2,
    MEMORY_COHERENT = 4, QUEUE_GRAPHICS = 1, BUFFER_FROM = 1, BUFFER_TO = 2, BUFFER_VERTEX = 0x80, IMAGE_FROM = 1,
    IMAGE_TO = 2, IMAGE_SAMPLED = 4, IMAGE_COLOUR = 0x10, IMAGE_DEPTH = 0x20, ASPECT_COLOUR = 1, ASPECT_DEPTH = 2,
    LAYOUT_COLOUR = 2, LAYOUT_DEPTH = 3, LAYOUT_READ = 5, LAYOUT_FROM = 6, LAYOUT_TO = 7, LAYOUT_PRESENT = 1000001002,
    ACCESS_SHADER_READ = 0x20, ACCESS_COLOUR = 0x100, ACCESS_FROM = 0x800, ACCESS_TO = 0x1000,
    ACCESS_HOST_READ = 0x2000, STAGE_TOP = 1, STAGE_FRAGMENT = 0x80, STAGE_COLOUR = 0x400, STAGE_TRANSFER = 0x1000,
    STAGE_BOTTOM = 0x2000, STAGE_HOST = 0x4000, LOAD_CLEAR = 1, LOAD_ANY = 2, STORE_ANY = 1, COMPARE_LESS = 1,
    LINEAR_FILTER = 1, CLAMP = 2, SAMPLED_IMAGE = 1, SHADER_VERTEX = 1, SHADER_FRAGMENT = 0x10, TRIANGLE_LIST = 3,
};

typedef struct { uint32_t width, height, depth; } VkExtent3D;
typedef struct { uint32_t aspect, mip, levels, layer, layers; } VkRange;

typedef struct {
    int sType; const void *pNext; const char *application; uint32_t application_version; const char *engine;
    uint32_t engine_version, api;
} VkApplicationInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; const VkApplicationInfo *application; uint32_t layers;
    const char *const *layer_names; uint32_t extensions; const char *const *extension_names;
} VkInstanceInfo;
typedef struct { int sType; const void *pNext; uint32_t flags, family, count; const float *priorities; } VkQueueInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags, queues; const VkQueueInfo *queue; uint32_t layers;
    const char *const *layer_names; uint32_t extensions; const char *const *extension_names; const void *features;
} VkDeviceInfo;
typedef struct { char name[256]; uint32_t version; } VkExtension;

/* VkPhysicalDeviceProperties: what comes after the UUID (VkPhysicalDeviceLimits, sparse properties) is only given room: it has
 * 524 bytes with its padding, and numbers of 64 bits in it. */
typedef struct {
    uint32_t api, driver, vendor, device; int type; char name[256]; uint8_t uuid[16]; uint64_t rest[128];
} VkProperties;
typedef struct { int sType; void *pNext; VkProperties p; } VkProperties2;
typedef struct { int sType; void *pNext; int id; char name[256], info[256]; uint8_t version[4]; } VkDriverProperties;
typedef struct { uint32_t flags, count, timestamp_bits; VkExtent3D granularity; } VkQueueFamily;
typedef struct { uint32_t types; struct { uint32_t flags, heap; } type[32]; uint32_t heaps;
    struct { VkDeviceSize size; uint32_t flags; } heap[16]; } VkMemoryProperties;
typedef struct { uint32_t linear, optimal, buffer; } VkFormatProperties;

typedef struct { VkDeviceSize size, alignment; uint32_t types; } VkRequirements;
typedef struct { int sType; const void *pNext; VkDeviceSize size; uint32_t type; } VkMemoryInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; VkDeviceSize size; uint32_t usage; int sharing; uint32_t families;
    const uint32_t *family;
} VkBufferInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; int type, format; VkExtent3D extent; uint32_t levels, layers;
    int samples, tiling; uint32_t usage; int sharing; uint32_t families; const uint32_t *family; int layout;
} VkImageInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; VkHandle image; int type, format, swizzle[4]; VkRange range;
} VkViewInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; int magnify, minify, mip, wrap[3]; float bias; uint32_t anisotropy;
    float max_anisotropy; uint32_t compare; int compare_how; float least_lod, most_lod; int border; uint32_t texels;
} VkSamplerInfo;

typedef struct { uint32_t binding; int type; uint32_t count, stages; const VkHandle *samplers; } VkBinding;
typedef struct { int sType; const void *pNext; uint32_t flags, count; const VkBinding *bindings; } VkSetLayoutInfo;
typedef struct { int type; uint32_t count; } VkPoolSize;
typedef struct { int sType; const void *pNext; uint32_t flags, sets, sizes; const VkPoolSize *size; } VkPoolInfo;
typedef struct { int sType; const void *pNext; VkHandle pool; uint32_t count; const VkHandle *layouts; } VkSetInfo;
typedef struct { VkHandle sampler, view; int layout; } VkSampled;
typedef struct {
    int sType; const void *pNext; VkHandle set; uint32_t binding, element, count; int type; const VkSampled *images;
    const void *buffers, *texel_buffers;
} VkWriteSet;
typedef struct {
    int sType; const void *pNext; uint32_t flags, sets; const VkHandle *set; uint32_t ranges; const void *range;
} VkLayoutInfo;

typedef struct { uint32_t flags; int format, samples, load, store, stencil_load, stencil_store, before, after; } VkAttachment;
typedef struct { uint32_t attachment; int layout; } VkReference;
typedef struct {
    uint32_t flags; int bind; uint32_t inputs; const VkReference *input; uint32_t colours; const VkReference *colour,
    *resolve, *depth; uint32_t preserves; const uint32_t *preserve;
} VkSubpass;
typedef struct { uint32_t from, to, from_stages, to_stages, from_access, to_access, flags; } VkDependency;
typedef struct {
    int sType; const void *pNext; uint32_t flags, attachments; const VkAttachment *attachment; uint32_t subpasses;
    const VkSubpass *subpass; uint32_t dependencies; const VkDependency *dependency;
} VkPassInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; VkHandle pass; uint32_t views; const VkHandle *view; uint32_t width,
    height, layers;
} VkFramebufferInfo;

typedef struct { int sType; const void *pNext; uint32_t flags; size_t size; const uint32_t *code; } VkShaderInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; int stage; VkHandle module; const char *name; const void *constants;
} VkStageInfo;
typedef struct { uint32_t binding, stride; int rate; } VkVertexBinding;
typedef struct { uint32_t location, binding; int format; uint32_t offset; } VkVertexAttribute;
typedef struct {
    int sType; const void *pNext; uint32_t flags, bindings; const VkVertexBinding *binding; uint32_t attributes;
    const VkVertexAttribute *attribute;
} VkVertexInputInfo;
typedef struct { int sType; const void *pNext; uint32_t flags; int topology; uint32_t restart; } VkAssemblyInfo;
typedef struct { float x, y, width, height, near, far; } VkViewport;
typedef struct { int32_t x, y; uint32_t width, height; } VkRect;
typedef struct {
    int sType; const void *pNext; uint32_t flags, viewports; const VkViewport *viewport; uint32_t scissors;
        const VkRect *scissor;
} VkViewportInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags, clamp, discard; int polygon; uint32_t cull; int front; uint32_t bias;
    float bias_constant, bias_clamp, bias_slope, line_width;
} VkRasterInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags; int samples; uint32_t shading; float least; const uint32_t *mask;
    uint32_t alpha, alpha_one;
} VkMultisampleInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags, test, write; int compare; uint32_t bounds, stencil; uint32_t front[7],
        back[7];
    float least, most;
} VkDepthInfo;
typedef struct { uint32_t enable; int factors[6]; uint32_t mask; } VkBlend;
typedef struct {
    int sType; const void *pNext; uint32_t flags, logic; int operation; uint32_t attachments; const VkBlend *attachment;
    float constants[4];
} VkBlendInfo;
typedef struct {
    int sType; const void *pNext; uint32_t flags, stages; const VkStageInfo *stage; const VkVertexInputInfo *input;
    const VkAssemblyInfo *assembly; const void *tessellation; const VkViewportInfo *viewport; const VkRasterInfo *raster;
    const VkMultisampleInfo *multisample; const VkDepthInfo *depth; const VkBlendInfo *blend; const void *dynamic;
    VkHandle layout, pass; uint32_t subpass; VkHandle base; int32_t base_index;
} VkPipelineInfo;

typedef struct { int sType; const void *pNext; uint32_t flags, family; } VkCommandPoolInfo;
typedef struct { int sType; const void *pNext; VkHandle pool; int level; uint32_t count; } VkCommandsInfo;
typedef struct { int sType; const void *pNext; uint32_t flags; const void *inheritance; } VkBeginInfo;
typedef union { float colour[4]; struct { float depth; uint32_t stencil; } depth; } VkClear;
typedef struct {
    int sType; const void *pNext; VkHandle pass, framebuffer; VkRect area; uint32_t clears; const VkClear *clear;
} VkPassBegin;
typedef struct {
    int sType; const void *pNext; uint32_t from_access, to_access; int before, after; uint32_t from_family, to_family;
    VkHandle image; VkRange range;
} VkImageBarrier;
typedef struct { int sType; const void *pNext; uint32_t from_access, to_access; } VkMemoryBarrier;
typedef struct { uint32_t aspect, mip, layer, layers; } VkLayers;
typedef struct {
    VkDeviceSize offset; uint32_t row, height; VkLayers layers; int32_t at[3]; VkExtent3D extent;
} VkBufferImageCopy;
typedef struct {
    int sType; const void *pNext; uint32_t waits; const VkHandle *wait; const uint32_t *wait_stages; uint32_t commands;
    const VkCommandBuffer *command; uint32_t signals; const VkHandle *signal;
} VkSubmitInfo;
typedef struct { int sType; const void *pNext; uint32_t flags; } VkPlainInfo; /* of fences and semaphores */

typedef struct { int sType; const void *pNext; uint32_t flags; void *display; uintptr_t window; } VkSurfaceInfo; /* Xlib, Wayland */
typedef struct {
    uint32_t least, most, width, height, least_width, least_height, most_width, most_height, layers, transforms,
    transform, alphas, usages;
} VkSurfaceCapabilities;
typedef struct { int format, space; } VkSurfaceFormat;
typedef struct {
    int sType; const void *pNext; uint32_t flags; VkHandle surface; uint32_t images; int format, space; uint32_t width,
    height, layers, usage; int sharing; uint32_t families; const uint32_t *family; int transform, alpha, mode;
    uint32_t clipped;
    VkHandle old;
} VkSwapchainInfo;
typedef struct {
    int sType; const void *pNext; uint32_t waits; const VkHandle *wait; uint32_t swapchains; const VkHandle *swapchain;
    const uint32_t *image; VkResult *results;
} VkPresentInfo;
typedef struct { VkLayers from; int32_t from_at[3]; VkLayers to; int32_t to_at[3]; VkExtent3D extent; } VkImageCopy;

/* --- vulkan.c: the device --- */

extern VkInstance vk_instance;
extern VkPhysicalDevice vk_gpu;
extern VkDevice vk_device;
extern VkQueue vk_queue;
extern uint32_t vk_family;

void *vk_find(const char *name);
/* Calls a function with its type: VK("vkName", (types))(arguments). */
#define VK(name, types) ((VkResult(*) types)vk_find(name))
#define VK_VOID(name, types) ((void (*) types)vk_find(name))
/* Ends the scene where the result is an error: "NAME: VK_ERROR_…". */
void vk_need(VkResult result, const char *name);

/* Makes instance and device, with the window system's extensions (NULL: none). can says whether a queue family of a device can
 * show pictures there. */
void vk_open(const char *surface_extension, void (*make_surface)(void), bool (*can)(VkPhysicalDevice, uint32_t));

/* --- vulkan_draw.c: the picture --- */

/* Makes all that a picture needs, with an image of the format as its target, which is left in LAYOUT_FROM. */
void vk_prepare(int format);
VkHandle vk_target(void);
/* Draws it, copies it to memory, and waits. */
void vk_draw_once(void);
/* vkCreate…(device, info, no allocator, the object). */
VkHandle vk_make(const char *name, const void *info);
/* A command buffer that is being recorded; and its end. */
VkCommandBuffer vk_begin(void);
void vk_end(VkCommandBuffer commands);
/* Changes an image's layout. */
void vk_barrier(VkCommandBuffer commands, VkHandle image, uint32_t from_stages, uint32_t to_stages, uint32_t from,
        uint32_t to, int before, int after);
/* Runs a command buffer and waits for its end; wait and signal are semaphores or 0. */
void vk_submit(VkCommandBuffer commands, VkHandle wait, VkHandle signal);
const uint8_t *vk_picture(void); /* RGBA */

#endif
