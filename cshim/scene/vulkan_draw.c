/* Vulkan: an image, a pipeline with vertices, texture and depth, and the copy of the picture to memory. */
#include "spirv.h"
#include "vulkan.h"

#include <string.h>

static VkHandle image, view, depth_view, vertices, texels, result, texture, texture_view, sampler, set_layout, set, layout,
    pass, framebuffer, pipeline, pool, fence;
static VkCommandBuffer commands;
static const uint8_t *result_at;
static int target_format, depth_format;

VkHandle vk_make(const char *name, const void *info)
{
    VkHandle h = 0;
    vk_need(VK(name, (VkDevice, const void *, const void *, VkHandle *))(vk_device, info, NULL, &h), name);
    return h;
}

static VkHandle memory(const VkRequirements *r, uint32_t want)
{
    VkMemoryProperties p;
    VkMemoryInfo info = {.sType = MEMORY_INFO, .size = r->size};
    VK_VOID("vkGetPhysicalDeviceMemoryProperties", (VkPhysicalDevice, VkMemoryProperties *))(vk_gpu, &p);
    for (; info.type < p.types && info.type < 32; info.type++)
        if ((r->types >> info.type & 1) && (p.type[info.type].flags & want) == want)
            return vk_make("vkAllocateMemory", &info);
    fail("the device has no memory of a kind that is needed");
}

static void *make_buffer(VkHandle *buffer, VkDeviceSize size, uint32_t usage)
{
    void *at;
    VkRequirements r;
    VkBufferInfo info = {.sType = BUFFER_INFO, .size = size, .usage = usage};
    *buffer = vk_make("vkCreateBuffer", &info);
    VK_VOID("vkGetBufferMemoryRequirements", (VkDevice, VkHandle, VkRequirements *))(vk_device, *buffer, &r);
    VkHandle m = memory(&r, MEMORY_VISIBLE | MEMORY_COHERENT);
    vk_need(VK("vkBindBufferMemory", (VkDevice, VkHandle, VkHandle, VkDeviceSize))(vk_device, *buffer, m, 0),
        "vkBindBufferMemory");
    vk_need(VK("vkMapMemory", (VkDevice, VkHandle, VkDeviceSize, VkDeviceSize, uint32_t, void **))(vk_device, m, 0,
        size, 0, &at), "vkMapMemory");
    return at;
}

static VkHandle make_image(VkHandle *at, int format, uint32_t side, uint32_t usage, uint32_t aspect)
{
    VkRequirements r;
    VkImageInfo info = {.sType = IMAGE_INFO, .type = 1, .format = format, .extent = {side, side, 1}, .levels = 1,
                .layers = 1, .samples = 1, .usage = usage};
    *at = vk_make("vkCreateImage", &info);
    VK_VOID("vkGetImageMemoryRequirements", (VkDevice, VkHandle, VkRequirements *))(vk_device, *at, &r);
    vk_need(VK("vkBindImageMemory", (VkDevice, VkHandle, VkHandle, VkDeviceSize))(vk_device, *at, memory(&r, 0), 0),
        "vkBindImageMemory");
    VkViewInfo look = {.sType = VIEW_INFO, .image = *at, .type = 1, .format = format, .range = {aspect, 0, 1, 0, 1}};
    return vk_make("vkCreateImageView", &look);
}

/* D16 is everywhere; 32 bits, nearly so, leave less to chance where two surfaces cross. */
static void choose_depth(void)
{
    VkFormatProperties p;
    VK_VOID("vkGetPhysicalDeviceFormatProperties", (VkPhysicalDevice, int, VkFormatProperties *))(vk_gpu,
        FORMAT_D32F, &p);
    depth_format = p.optimal & FEATURE_DEPTH ? FORMAT_D32F : FORMAT_D16;
}

static void make_images(void)
{
    VkHandle depth;
    VkSamplerInfo linear = {.sType = SAMPLER_INFO, .magnify = LINEAR_FILTER, .minify = LINEAR_FILTER,
                .wrap = {CLAMP, CLAMP, CLAMP}};
    choose_depth();
    view = make_image(&image, target_format, SIDE, IMAGE_COLOUR | IMAGE_FROM, ASPECT_COLOUR);
    depth_view = make_image(&depth, depth_format, SIDE, IMAGE_DEPTH, ASPECT_DEPTH);
    texture_view = make_image(&texture, FORMAT_RGBA8, TILE, IMAGE_SAMPLED | IMAGE_TO, ASPECT_COLOUR);
    sampler = vk_make("vkCreateSampler", &linear);
}

static void make_set(void)
{
    VkBinding binding = {.type = SAMPLED_IMAGE, .count = 1, .stages = SHADER_FRAGMENT};
    VkSetLayoutInfo what = {.sType = SET_LAYOUT_INFO, .count = 1, .bindings = &binding};
    VkPoolSize size = {SAMPLED_IMAGE, 1};
    VkPoolInfo many = {.sType = POOL_INFO, .sets = 1, .sizes = 1, .size = &size};
    VkLayoutInfo all = {.sType = LAYOUT_INFO, .sets = 1, .set = &set_layout};
    VkSampled image_of = {0};
    VkWriteSet write = {.sType = WRITE_SET, .count = 1, .type = SAMPLED_IMAGE, .images = &image_of};
    set_layout = vk_make("vkCreateDescriptorSetLayout", &what);
    layout = vk_make("vkCreatePipelineLayout", &all);
    VkSetInfo one = {.sType = SET_INFO, .pool = vk_make("vkCreateDescriptorPool", &many), .count = 1,
        .layouts = &set_layout};
    vk_need(VK("vkAllocateDescriptorSets", (VkDevice, const VkSetInfo *, VkHandle *))(vk_device, &one, &set),
        "vkAllocateDescriptorSets");
    image_of = (VkSampled){sampler, texture_view, LAYOUT_READ};
    write.set = set;
    VK_VOID("vkUpdateDescriptorSets", (VkDevice, uint32_t, const VkWriteSet *, uint32_t, const void *))(vk_device, 1,
        &write, 0, NULL);
}

static void make_pass(void)
{
    VkAttachment to[2] = {
        {.format = target_format, .samples = 1, .load = LOAD_CLEAR, .stencil_load = LOAD_ANY,
         .stencil_store = STORE_ANY, .after = LAYOUT_FROM},
        {.format = depth_format, .samples = 1, .load = LOAD_CLEAR, .store = STORE_ANY, .stencil_load = LOAD_ANY,
         .stencil_store = STORE_ANY, .after = LAYOUT_DEPTH}};
    VkReference colour = {0, LAYOUT_COLOUR}, depth = {1, LAYOUT_DEPTH};
    VkSubpass only = {.colours = 1, .colour = &colour, .depth = &depth};
    VkDependency then = {0, ~0u, STAGE_COLOUR, STAGE_TRANSFER, ACCESS_COLOUR, ACCESS_FROM, 0};
    VkPassInfo info = {.sType = PASS_INFO, .attachments = 2, .attachment = to, .subpasses = 1, .subpass = &only,
               .dependencies = 1, .dependency = &then};
    VkHandle views[2] = {view, depth_view};
    pass = vk_make("vkCreateRenderPass", &info);
    VkFramebufferInfo f = {.sType = FRAMEBUFFER_INFO, .pass = pass, .views = 2, .view = views, .width = SIDE,
                   .height = SIDE, .layers = 1};
    framebuffer = vk_make("vkCreateFramebuffer", &f);
}

static VkStageInfo stage(int which, const uint32_t *code, size_t size)
{
    VkShaderInfo info = {.sType = SHADER_INFO, .size = size, .code = code};
    return (VkStageInfo){.sType = STAGE_INFO, .stage = which, .module = vk_make("vkCreateShaderModule", &info),
        .name = "main"};
}

static void make_pipeline(void)
{
    VkStageInfo stages[2] = {stage(SHADER_VERTEX, vertex_shader, sizeof vertex_shader),
                 stage(SHADER_FRAGMENT, fragment_shader, sizeof fragment_shader)};
    VkVertexBinding binding = {0, sizeof(struct vertex), 0};
    VkVertexAttribute attributes[3] = {{0, 0, FORMAT_RGBA32F, offsetof(struct vertex, at)},
                       {1, 0, FORMAT_RGBA32F, offsetof(struct vertex, colour)},
                       {2, 0, FORMAT_RG32F, offsetof(struct vertex, place)}};
    VkVertexInputInfo input = {.sType = VERTEX_INPUT_INFO, .bindings = 1, .binding = &binding, .attributes = 3,
                   .attribute = attributes};
    VkAssemblyInfo assembly = {.sType = ASSEMBLY_INFO, .topology = TRIANGLE_LIST};
    VkViewport port = {0, 0, SIDE, SIDE, 0, 1};
    VkRect all = {0, 0, SIDE, SIDE};
    VkViewportInfo viewport = {.sType = VIEWPORT_INFO, .viewports = 1, .viewport = &port, .scissors = 1, .scissor = &all};
    VkRasterInfo raster = {.sType = RASTER_INFO, .line_width = 1};
    VkMultisampleInfo samples = {.sType = MULTISAMPLE_INFO, .samples = 1};
    VkDepthInfo depth = {.sType = DEPTH_INFO, .test = 1, .write = 1, .compare = COMPARE_LESS};
    VkBlend plain = {.mask = 15};
    VkBlendInfo blend = {.sType = BLEND_INFO, .attachments = 1, .attachment = &plain};
    VkPipelineInfo info = {.sType = PIPELINE_INFO, .stages = 2, .stage = stages, .input = &input, .assembly = &assembly,
                   .viewport = &viewport, .raster = &raster, .multisample = &samples, .depth = &depth,
                   .blend = &blend, .layout = layout, .pass = pass};
    vk_need(VK("vkCreateGraphicsPipelines", (VkDevice, VkHandle, uint32_t, const VkPipelineInfo *, const void *,
            VkHandle *))(vk_device, 0, 1, &info, NULL, &pipeline), "vkCreateGraphicsPipelines");
}

VkCommandBuffer vk_begin(void)
{
    VkCommandBuffer c;
    VkCommandsInfo a = {.sType = COMMANDS_INFO, .pool = pool, .count = 1};
    VkBeginInfo info = {.sType = BEGIN_INFO};
    vk_need(VK("vkAllocateCommandBuffers", (VkDevice, const VkCommandsInfo *, VkCommandBuffer *))(vk_device, &a, &c),
        "vkAllocateCommandBuffers");
    vk_need(VK("vkBeginCommandBuffer", (VkCommandBuffer, const VkBeginInfo *))(c, &info), "vkBeginCommandBuffer");
    return c;
}

void vk_end(VkCommandBuffer c) { vk_need(VK("vkEndCommandBuffer", (VkCommandBuffer))(c), "vkEndCommandBuffer"); }

void vk_submit(VkCommandBuffer c, VkHandle wait, VkHandle signal)
{
    uint32_t stages = STAGE_TRANSFER;
    VkSubmitInfo info = {.sType = SUBMIT_INFO, .waits = wait != 0, .wait = &wait, .wait_stages = &stages, .commands = 1,
                 .command = &c, .signals = signal != 0, .signal = &signal};
    vk_need(VK("vkQueueSubmit", (VkQueue, uint32_t, const VkSubmitInfo *, VkHandle))(vk_queue, 1, &info, fence),
        "vkQueueSubmit");
    vk_need(VK("vkWaitForFences", (VkDevice, uint32_t, const VkHandle *, uint32_t, uint64_t))(vk_device, 1, &fence, 1,
        ~0ull), "vkWaitForFences");
    vk_need(VK("vkResetFences", (VkDevice, uint32_t, const VkHandle *))(vk_device, 1, &fence), "vkResetFences");
}

void vk_barrier(VkCommandBuffer c, VkHandle of, uint32_t from_stages, uint32_t to_stages, uint32_t from, uint32_t to,
        int before, int after)
{
    VkImageBarrier b = {.sType = IMAGE_BARRIER, .from_access = from, .to_access = to, .before = before, .after = after,
                .from_family = ~0u, .to_family = ~0u, .image = of, .range = {ASPECT_COLOUR, 0, 1, 0, 1}};
    VK_VOID("vkCmdPipelineBarrier", (VkCommandBuffer, uint32_t, uint32_t, uint32_t, uint32_t, const void *, uint32_t,
        const void *, uint32_t, const VkImageBarrier *))(c, from_stages, to_stages, 0, 0, NULL, 0, NULL, 1, &b);
}

static void fill_texture(void)
{
    VkBufferImageCopy copy = {.layers = {ASPECT_COLOUR, 0, 0, 1}, .extent = {TILE, TILE, 1}};
    VkCommandBuffer c = vk_begin();
    vk_barrier(c, texture, STAGE_TOP, STAGE_TRANSFER, 0, ACCESS_TO, 0, LAYOUT_TO);
    VK_VOID("vkCmdCopyBufferToImage", (VkCommandBuffer, VkHandle, VkHandle, int, uint32_t, const VkBufferImageCopy *))(c,
        texels, texture, LAYOUT_TO, 1, &copy);
    vk_barrier(c, texture, STAGE_TRANSFER, STAGE_FRAGMENT, ACCESS_TO, ACCESS_SHADER_READ, LAYOUT_TO, LAYOUT_READ);
    vk_end(c);
    vk_submit(c, 0, 0);
}

static void record(void)
{
    VkClear clears[2] = {{.colour = {0, 0, 0, 1}}, {.depth = {1, 0}}};
    VkPassBegin p = {.sType = PASS_BEGIN_INFO, .pass = pass, .framebuffer = framebuffer, .area = {0, 0, SIDE, SIDE},
             .clears = 2, .clear = clears};
    VkBufferImageCopy copy = {.layers = {ASPECT_COLOUR, 0, 0, 1}, .extent = {SIDE, SIDE, 1}};
    VkDeviceSize none = 0;
    commands = vk_begin();
    VK_VOID("vkCmdBeginRenderPass", (VkCommandBuffer, const VkPassBegin *, int))(commands, &p, 0);
    VK_VOID("vkCmdBindPipeline", (VkCommandBuffer, int, VkHandle))(commands, 0, pipeline);
    VK_VOID("vkCmdBindDescriptorSets", (VkCommandBuffer, int, VkHandle, uint32_t, uint32_t, const VkHandle *, uint32_t,
        const uint32_t *))(commands, 0, layout, 0, 1, &set, 0, NULL);
    VK_VOID("vkCmdBindVertexBuffers", (VkCommandBuffer, uint32_t, uint32_t, const VkHandle *,
        const VkDeviceSize *))(commands, 0, 1, &vertices, &none);
    VK_VOID("vkCmdDraw", (VkCommandBuffer, uint32_t, uint32_t, uint32_t, uint32_t))(commands, VERTICES, 1, 0, 0);
    VK_VOID("vkCmdEndRenderPass", (VkCommandBuffer))(commands);
    VK_VOID("vkCmdCopyImageToBuffer", (VkCommandBuffer, VkHandle, int, VkHandle, uint32_t,
        const VkBufferImageCopy *))(commands, image, LAYOUT_FROM, result, 1, &copy);
    VkMemoryBarrier read = {.sType = MEMORY_BARRIER, .from_access = ACCESS_TO, .to_access = ACCESS_HOST_READ};
    VK_VOID("vkCmdPipelineBarrier", (VkCommandBuffer, uint32_t, uint32_t, uint32_t, uint32_t, const VkMemoryBarrier *,
        uint32_t, const void *, uint32_t, const void *))(commands, STAGE_TRANSFER, STAGE_HOST, 0, 1, &read, 0,
        NULL, 0, NULL);
    vk_end(commands);
}

void vk_prepare(int format)
{
    VkPlainInfo plain = {.sType = FENCE_INFO};
    VkCommandPoolInfo p = {.sType = COMMAND_POOL_INFO, .family = vk_family};
    target_format = format;
    memcpy(make_buffer(&vertices, sizeof figure()->vertices, BUFFER_VERTEX), figure()->vertices,
        sizeof figure()->vertices);
    memcpy(make_buffer(&texels, sizeof figure()->tile, BUFFER_FROM), figure()->tile, sizeof figure()->tile);
    result_at = make_buffer(&result, PICTURE, BUFFER_TO);
    make_images();
    make_set();
    make_pass();
    make_pipeline();
    fence = vk_make("vkCreateFence", &plain);
    pool = vk_make("vkCreateCommandPool", &p);
    fill_texture();
    record();
}

VkHandle vk_target(void) { return image; }

void vk_draw_once(void) { vk_submit(commands, 0, 0); }

const uint8_t *vk_picture(void)
{
    static uint8_t picture[PICTURE];
    memcpy(picture, result_at, PICTURE);
    for (int k = 0; target_format == FORMAT_BGRA8 && k < PICTURE; k += 4) {
        picture[k] = result_at[k + 2];
        picture[k + 2] = result_at[k];
    }
    return picture;
}
