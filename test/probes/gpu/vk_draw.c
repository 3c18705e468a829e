/*
 * vk_draw [--software] [--pictures DIR]: a picture by a graphics pipeline on each Vulkan device, without any window system.
 * Devices that are the processor count only with --software.
 */
#define VK_NO_PROTOTYPES
#include "gpu.h"
#include "spirv.h"

#include <stdbool.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { SIDE = 256, BYTES = SIDE * SIDE * 4, FRAMES = 100 };

static PFN_vkGetInstanceProcAddr proc;
static VkInstance instance;
static const char *pictures;

#define VK(name) ((PFN_##name)proc(instance, #name))

static void need(VkResult r, const char *what)
{
	if (r) {
		printf("%s: %d\n", what, r);
		exit(1);
	}
}
#define NEED(name, ...) need(VK(name)(__VA_ARGS__), #name)

/* What is made once for a device. */
static VkPhysicalDevice gpu;
static VkDevice device;
static VkQueue queue;
static VkImage image;
static VkImageView view;
static VkBuffer vertices, result;
static void *vertices_at, *result_at;
static VkRenderPass pass;
static VkFramebuffer frame;
static VkPipeline pipeline;
static VkCommandBuffer commands;
static VkFence fence;

static uint32_t memory_type(uint32_t among, VkMemoryPropertyFlags want)
{
	VkPhysicalDeviceMemoryProperties p;
	VK(vkGetPhysicalDeviceMemoryProperties)(gpu, &p);
	for (uint32_t k = 0; k < p.memoryTypeCount; k++)
		if ((among & 1u << k) && (p.memoryTypes[k].propertyFlags & want) == want)
			return k;
	puts("no memory of a kind that is needed");
	exit(1);
}

static VkDeviceMemory memory(VkMemoryRequirements r, VkMemoryPropertyFlags want)
{
	VkDeviceMemory m;
	VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = r.size,
				     .memoryTypeIndex = memory_type(r.memoryTypeBits, want)};
	NEED(vkAllocateMemory, device, &info, NULL, &m);
	return m;
}

static void *make_buffer(VkBuffer *b, VkDeviceSize size, VkBufferUsageFlags usage)
{
	void *at;
	VkMemoryRequirements r;
	VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = usage};
	NEED(vkCreateBuffer, device, &info, NULL, b);
	VK(vkGetBufferMemoryRequirements)(device, *b, &r);
	VkDeviceMemory m = memory(r, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
	NEED(vkBindBufferMemory, device, *b, m, 0);
	NEED(vkMapMemory, device, m, 0, size, 0, &at);
	return at;
}

static void make_image(void)
{
	VkMemoryRequirements r;
	VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO, .imageType = VK_IMAGE_TYPE_2D,
		.format = VK_FORMAT_R8G8B8A8_UNORM, .extent = {SIDE, SIDE, 1}, .mipLevels = 1, .arrayLayers = 1,
		.samples = VK_SAMPLE_COUNT_1_BIT, .tiling = VK_IMAGE_TILING_OPTIMAL,
		.usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT};
	NEED(vkCreateImage, device, &info, NULL, &image);
	VK(vkGetImageMemoryRequirements)(device, image, &r);
	NEED(vkBindImageMemory, device, image, memory(r, 0), 0);
	VkImageViewCreateInfo look = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO, .image = image,
		.viewType = VK_IMAGE_VIEW_TYPE_2D, .format = info.format, .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
	NEED(vkCreateImageView, device, &look, NULL, &view);
}

static void make_pass(void)
{
	VkAttachmentDescription colour = {.format = VK_FORMAT_R8G8B8A8_UNORM, .samples = VK_SAMPLE_COUNT_1_BIT,
		.loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR, .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
		.stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE, .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
		.initialLayout = VK_IMAGE_LAYOUT_UNDEFINED, .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL};
	VkAttachmentReference to = {0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
	VkSubpassDescription sub = {.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS, .colorAttachmentCount = 1,
		.pColorAttachments = &to};
	VkSubpassDependency after = {0, VK_SUBPASS_EXTERNAL, VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
		VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, VK_ACCESS_TRANSFER_READ_BIT, 0};
	VkRenderPassCreateInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO, .attachmentCount = 1,
		.pAttachments = &colour, .subpassCount = 1, .pSubpasses = &sub, .dependencyCount = 1, .pDependencies = &after};
	NEED(vkCreateRenderPass, device, &info, NULL, &pass);
	VkFramebufferCreateInfo f = {.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO, .renderPass = pass, .attachmentCount = 1,
		.pAttachments = &view, .width = SIDE, .height = SIDE, .layers = 1};
	NEED(vkCreateFramebuffer, device, &f, NULL, &frame);
}

static VkPipelineShaderStageCreateInfo stage(VkShaderStageFlagBits which, const uint32_t *code, size_t size)
{
	VkPipelineShaderStageCreateInfo s = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = which,
		.pName = "main"};
	VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code};
	NEED(vkCreateShaderModule, device, &info, NULL, &s.module);
	return s;
}

static void make_pipeline(void)
{
	VkPipelineShaderStageCreateInfo stages[] = {
		stage(VK_SHADER_STAGE_VERTEX_BIT, vertex_shader, sizeof vertex_shader),
		stage(VK_SHADER_STAGE_FRAGMENT_BIT, fragment_shader, sizeof fragment_shader)};
	VkVertexInputBindingDescription binding = {0, 8 * sizeof(float), VK_VERTEX_INPUT_RATE_VERTEX};
	VkVertexInputAttributeDescription attributes[] = {{0, 0, VK_FORMAT_R32G32B32A32_SFLOAT, 0},
		{1, 0, VK_FORMAT_R32G32B32A32_SFLOAT, 4 * sizeof(float)}};
	VkPipelineVertexInputStateCreateInfo input = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
		.vertexBindingDescriptionCount = 1, .pVertexBindingDescriptions = &binding,
		.vertexAttributeDescriptionCount = 2, .pVertexAttributeDescriptions = attributes};
	VkPipelineInputAssemblyStateCreateInfo assembly = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
		.topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP};
	VkViewport port = {0, 0, SIDE, SIDE, 0, 1};
	VkRect2D all = {{0, 0}, {SIDE, SIDE}};
	VkPipelineViewportStateCreateInfo viewport = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
		.viewportCount = 1, .pViewports = &port, .scissorCount = 1, .pScissors = &all};
	VkPipelineRasterizationStateCreateInfo raster = {.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
		.cullMode = VK_CULL_MODE_NONE, .lineWidth = 1};
	VkPipelineMultisampleStateCreateInfo samples = {.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
		.rasterizationSamples = VK_SAMPLE_COUNT_1_BIT};
	VkPipelineColorBlendAttachmentState plain = {.colorWriteMask = 15};
	VkPipelineColorBlendStateCreateInfo blend = {.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
		.attachmentCount = 1, .pAttachments = &plain};
	VkPipelineLayout layout;
	VkPipelineLayoutCreateInfo none = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
	NEED(vkCreatePipelineLayout, device, &none, NULL, &layout);
	VkGraphicsPipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO, .stageCount = 2,
		.pStages = stages, .pVertexInputState = &input, .pInputAssemblyState = &assembly, .pViewportState = &viewport,
		.pRasterizationState = &raster, .pMultisampleState = &samples, .pColorBlendState = &blend, .layout = layout,
		.renderPass = pass};
	NEED(vkCreateGraphicsPipelines, device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline);
}

static void record(uint32_t family)
{
	VkCommandPool pool;
	VkCommandPoolCreateInfo p = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = family};
	NEED(vkCreateCommandPool, device, &p, NULL, &pool);
	VkCommandBufferAllocateInfo a = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = pool,
		.commandBufferCount = 1};
	NEED(vkAllocateCommandBuffers, device, &a, &commands);
	VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
	NEED(vkBeginCommandBuffer, commands, &begin);
	VkClearValue grey = {.color = {.float32 = {0.25f, 0.25f, 0.25f, 1}}};
	VkRenderPassBeginInfo r = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO, .renderPass = pass, .framebuffer = frame,
		.renderArea = {{0, 0}, {SIDE, SIDE}}, .clearValueCount = 1, .pClearValues = &grey};
	VkDeviceSize zero = 0;
	VK(vkCmdBeginRenderPass)(commands, &r, VK_SUBPASS_CONTENTS_INLINE);
	VK(vkCmdBindPipeline)(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
	VK(vkCmdBindVertexBuffers)(commands, 0, 1, &vertices, &zero);
	VK(vkCmdDraw)(commands, 4, 1, 0, 0);
	VK(vkCmdEndRenderPass)(commands);
	VkBufferImageCopy all = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1}, .imageExtent = {SIDE, SIDE, 1}};
	VK(vkCmdCopyImageToBuffer)(commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, result, 1, &all);
	VkBufferMemoryBarrier host = {.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_HOST_READ_BIT, .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
		.dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED, .buffer = result, .size = BYTES};
	VK(vkCmdPipelineBarrier)(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 0, NULL, 1, &host, 0, NULL);
	NEED(vkEndCommandBuffer, commands);
	VkFenceCreateInfo f = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
	NEED(vkCreateFence, device, &f, NULL, &fence);
}

static void draw_once(void)
{
	VkSubmitInfo s = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
	NEED(vkQueueSubmit, queue, 1, &s, fence);
	NEED(vkWaitForFences, device, 1, &fence, VK_TRUE, UINT64_MAX);
	NEED(vkResetFences, device, 1, &fence);
}

static uint32_t graphics_family(void)
{
	VkQueueFamilyProperties p[16];
	uint32_t n = 16;
	VK(vkGetPhysicalDeviceQueueFamilyProperties)(gpu, &n, p);
	for (uint32_t k = 0; k < n; k++)
		if (p[k].queueFlags & VK_QUEUE_GRAPHICS_BIT)
			return k;
	return UINT32_MAX;
}

/* Draws on gpu; false if it has no graphics. */
static bool draw(const char *name)
{
	/* place and colour of the four corners, one outside: the clearing is to be seen too */
	static const float corners[4][8] = {{-0.9f, -0.9f, 0, 1, 1, 0, 0, 1}, {0.9f, -0.8f, 0, 1, 0, 1, 0, 1},
					    {-0.8f, 1.1f, 0, 1, 0, 0, 1, 1}, {0.7f, 0.9f, 0, 1, 1, 1, 1, 1}};
	double t = now_ms();
	float one = 1;
	uint32_t family = graphics_family();
	if (family == UINT32_MAX)
		return false;
	VkDeviceQueueCreateInfo q = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = family,
		.queueCount = 1, .pQueuePriorities = &one};
	VkDeviceCreateInfo d = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1, .pQueueCreateInfos = &q};
	NEED(vkCreateDevice, gpu, &d, NULL, &device);
	VK(vkGetDeviceQueue)(device, family, 0, &queue);
	vertices_at = make_buffer(&vertices, sizeof corners, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
	memcpy(vertices_at, corners, sizeof corners);
	result_at = make_buffer(&result, BYTES, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	make_image();
	make_pass();
	make_pipeline();
	record(family);
	draw_once();
	print_time("Vulkan first frame", now_ms() - t);
	t = now_ms();
	for (int k = 0; k < FRAMES; k++)
		draw_once();
	print_time("Vulkan frame", (now_ms() - t) / FRAMES);
	printf("%s: hash %016llx\n", name, (unsigned long long)hash_bytes(result_at, BYTES));
	write_picture(pictures, name, result_at, SIDE, SIDE);
	NEED(vkDeviceWaitIdle, device);
	VK(vkDestroyDevice)(device, NULL); /* what is made of it goes with the process */
	return true;
}

int main(int argc, char **argv)
{
	bool software = false;
	int drawn = 0;
	for (int k = 1; k < argc; k++)
		if (!strcmp(argv[k], "--software"))
			software = true;
		else if (!strcmp(argv[k], "--pictures") && k + 1 < argc)
			pictures = argv[++k];
		else
			return 2;
	double t = now_ms();
	proc = (PFN_vkGetInstanceProcAddr)need_symbol(open_library("libvulkan.so.1"), "vkGetInstanceProcAddr");
	VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_0};
	VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
	VkResult r = VK(vkCreateInstance)(&info, NULL, &instance);
	print_time("Vulkan instance", now_ms() - t);
	printf("vkCreateInstance: %d\n", r);
	if (r)
		return NOTHING;
	VkPhysicalDevice gpus[16];
	uint32_t n = 16;
	r = VK(vkEnumeratePhysicalDevices)(instance, &n, gpus);
	printf("vkEnumeratePhysicalDevices: %d, %u devices\n", r, n);
	for (uint32_t k = 0; r >= 0 && k < n; k++) {
		char name[32];
		VkPhysicalDeviceProperties p;
		gpu = gpus[k];
		VK(vkGetPhysicalDeviceProperties)(gpu, &p);
		snprintf(name, sizeof name, "vulkan-device-%u", k);
		printf("%s: %s, driver %#x, Vulkan %u.%u.%u\n", name, p.deviceName, p.driverVersion, VK_VERSION_MAJOR(p.apiVersion),
		       VK_VERSION_MINOR(p.apiVersion), VK_VERSION_PATCH(p.apiVersion));
		if (p.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU && !software)
			printf("%s: no GPU\n", name);
		else if (!draw(name))
			printf("%s: no graphics\n", name);
		else
			drawn++;
	}
	VK(vkDestroyInstance)(instance, NULL);
	return drawn ? 0 : NOTHING;
}
