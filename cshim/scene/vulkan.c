/* Vulkan: the instance, all devices, and the best of them. */
#include "vulkan.h"

#include <stdio.h>
#include <string.h>

enum { GPUS = 32, EXTENSIONS = 1024, FAMILIES = 32 };
#define VERSION(major, minor) ((uint32_t)(major) << 22 | (uint32_t)(minor) << 12)

VkInstance vk_instance;
VkPhysicalDevice vk_gpu;
VkDevice vk_device;
VkQueue vk_queue;
uint32_t vk_family;

static void *(*vkGetInstanceProcAddr)(VkInstance, const char *);

static void *find_or_null(const char *name) { return vkGetInstanceProcAddr(vk_instance, name); }

void *vk_find(const char *name)
{
    void *p = find_or_null(name);
    if (!p)
        fail("no %s", name);
    return p;
}

void vk_need(VkResult r, const char *name)
{
    static const char *const errors[] = {"VK_ERROR_OUT_OF_HOST_MEMORY", "VK_ERROR_OUT_OF_DEVICE_MEMORY",
        "VK_ERROR_INITIALIZATION_FAILED", "VK_ERROR_DEVICE_LOST", "VK_ERROR_MEMORY_MAP_FAILED",
        "VK_ERROR_LAYER_NOT_PRESENT", "VK_ERROR_EXTENSION_NOT_PRESENT", "VK_ERROR_FEATURE_NOT_PRESENT",
        "VK_ERROR_INCOMPATIBLE_DRIVER"};
    step(name);
    if (r >= 0)
        return;
    if (r >= -9)
        fail("%s: %s", name, errors[-r - 1]);
    fail("%s: VkResult %d", name, r);
}

static bool has_extension(const VkExtension *all, uint32_t n, const char *name)
{
    for (int k = 0; k < at_most(n, EXTENSIONS); k++)
        if (!strncmp(all[k].name, name, sizeof all[k].name))
            return true;
    return false;
}

/* NULL asks for nothing to be shown: then there is none to name. */
static void make_instance(const char *surface)
{
    static VkExtension all[EXTENSIONS];
    const char *wanted[2] = {"VK_KHR_surface", surface};
    uint32_t version = VERSION(1, 0), n = EXTENSIONS;
    VkResult (*which)(uint32_t *) = (VkResult(*)(uint32_t *))find_or_null("vkEnumerateInstanceVersion");
    if (which && which(&version) < 0)
        version = VERSION(1, 0);
    if (surface) {
        vk_need(VK("vkEnumerateInstanceExtensionProperties", (const char *, uint32_t *, VkExtension *))(NULL, &n,
            all), "vkEnumerateInstanceExtensionProperties");
        for (int k = 0; k < 2; k++)
            if (!has_extension(all, n, wanted[k]))
                fail("the instance has no %s", wanted[k]);
    }
    VkApplicationInfo app = {.sType = APPLICATION_INFO, .application = "capsule-scene", .api = version >= VERSION(1, 1) ?
                 VERSION(1, 1) : VERSION(1, 0)};
    VkInstanceInfo info = {.sType = INSTANCE_INFO, .application = &app, .extensions = surface ? 2 : 0,
        .extension_names = wanted};
    vk_need(VK("vkCreateInstance", (const VkInstanceInfo *, const void *, VkInstance *))(&info, NULL, &vk_instance),
        "vkCreateInstance");
}

/* The family that draws and, with can, shows. */
static bool find_family(VkPhysicalDevice gpu, bool (*can)(VkPhysicalDevice, uint32_t), uint32_t *family)
{
    VkQueueFamily all[FAMILIES];
    uint32_t n = FAMILIES;
    VK_VOID("vkGetPhysicalDeviceQueueFamilyProperties", (VkPhysicalDevice, uint32_t *, VkQueueFamily *))(gpu, &n, all);
    n = (uint32_t)at_most(n, FAMILIES);
    for (*family = 0; *family < n; ++*family)
        if ((all[*family].flags & QUEUE_GRAPHICS) && (!can || can(gpu, *family)))
            return true;
    return false;
}

/* Discrete, integrated, virtual, the processor, unknown. */
static int rank(const VkProperties *p)
{
    static const int ranks[] = {[TYPE_INTEGRATED] = 1, [TYPE_DISCRETE] = 0, [TYPE_VIRTUAL] = 2, [TYPE_CPU] = 3};
    return p->type >= TYPE_INTEGRATED && p->type <= TYPE_CPU ? ranks[p->type] : 4;
}

static void get_properties(VkPhysicalDevice gpu, VkProperties *p)
{
    VK_VOID("vkGetPhysicalDeviceProperties", (VkPhysicalDevice, VkProperties *))(gpu, p);
    p->name[sizeof p->name - 1] = 0;
}

static void choose(bool (*can)(VkPhysicalDevice, uint32_t))
{
    VkPhysicalDevice all[GPUS];
    VkProperties p;
    uint32_t n = GPUS, family;
    int best = 5;
    vk_need(VK("vkEnumeratePhysicalDevices", (VkInstance, uint32_t *, VkPhysicalDevice *))(vk_instance, &n, all),
        "vkEnumeratePhysicalDevices");
    n = (uint32_t)at_most(n, GPUS);
    for (uint32_t k = 0; k < n; k++) {
        get_properties(all[k], &p);
        add_device(p.name);
        if ((wanted_device < 0 || wanted_device == (int)k) && rank(&p) < best && find_family(all[k], can, &family)) {
            best = rank(&p);
            vk_gpu = all[k];
            vk_family = family;
        }
    }
    if (n == 0)
        fail("Vulkan has no devices");
    if (wanted_device >= (int)n)
        no_such_device((int)n);
    if (best == 5)
        fail(can ? "no device can draw and show" : "no device can draw");
}

/* PCI's numbers of vendors, and Khronos' own. */
static void name_vendor(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *name;
    } known[] = {{0x1002, "AMD"}, {0x10de, "NVIDIA"}, {0x8086, "Intel"}, {0x10005, "Mesa"}, {0x13b5, "Arm"},
             {0x5143, "Qualcomm"},
             {0x1010, "Imagination"}, {0x14e4, "Broadcom"}, {0x106b, "Apple"}, {0x1af4, "Virtio"}};
    snprintf(drawing.vendor, TEXT, "%#x", id);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].id == id)
            set_text(drawing.vendor, known[k].name);
}

static void describe(const VkExtension *extensions, uint32_t n)
{
    VkDriverProperties driver = {.sType = DRIVER_PROPERTIES};
    VkProperties2 more = {.sType = PROPERTIES2, .pNext = &driver};
    VkProperties p;
    get_properties(vk_gpu, &p);
    set_text(drawing.device, p.name);
    name_vendor(p.vendor);
    snprintf(drawing.version, TEXT, "%u.%u.%u", p.api >> 22 & 127, p.api >> 12 & 1023, p.api & 4095);
    snprintf(drawing.driver, TEXT, "%#x", p.driver);
    drawing.software = p.type == TYPE_CPU;
    void (*get)(VkPhysicalDevice, VkProperties2 *) =
        (void (*)(VkPhysicalDevice, VkProperties2 *))find_or_null("vkGetPhysicalDeviceProperties2");
    bool tells = p.api >= VERSION(1, 2) || has_extension(extensions, n, "VK_KHR_driver_properties");
    if (get && p.api >= VERSION(1, 1) && tells) {
        get(vk_gpu, &more);
        snprintf(drawing.driver, TEXT, "%.255s%s%.255s", driver.name, *driver.info ? " " : "", driver.info);
    }
}

static void make_device(bool shows)
{
    static VkExtension all[EXTENSIONS];
    const char *const swapchain = "VK_KHR_swapchain";
    uint32_t n = EXTENSIONS;
    float one = 1;
    vk_need(VK("vkEnumerateDeviceExtensionProperties", (VkPhysicalDevice, const char *, uint32_t *,
        VkExtension *))(vk_gpu, NULL, &n, all), "vkEnumerateDeviceExtensionProperties");
    for (int k = 0; k < at_most(n, EXTENSIONS); k++) {
        all[k].name[sizeof all[k].name - 1] = 0;
        add_extension(all[k].name);
    }
    describe(all, n);
    if (shows && !has_extension(all, n, swapchain))
        fail("the device has no %s", swapchain);
    VkQueueInfo queue = {.sType = QUEUE_INFO, .family = vk_family, .count = 1, .priorities = &one};
    VkDeviceInfo info = {.sType = DEVICE_INFO, .queues = 1, .queue = &queue, .extensions = shows ? 1 : 0,
                 .extension_names = &swapchain};
    vk_need(VK("vkCreateDevice", (VkPhysicalDevice, const VkDeviceInfo *, const void *, VkDevice *))(vk_gpu, &info, NULL,
        &vk_device), "vkCreateDevice");
    VK_VOID("vkGetDeviceQueue", (VkDevice, uint32_t, uint32_t, VkQueue *))(vk_device, vk_family, 0, &vk_queue);
}

void vk_open(const char *surface, void (*make_surface)(void), bool (*can)(VkPhysicalDevice, uint32_t))
{
    void *library = open_api("libvulkan.so.1");
    step("find the functions of Vulkan");
    NEED(library, vkGetInstanceProcAddr);
    make_instance(surface);
    if (make_surface)
        make_surface();
    choose(can);
    make_device(surface != NULL);
}

void draw_vulkan(void)
{
    vk_open(NULL, NULL, NULL);
    vk_prepare(FORMAT_RGBA8);
    frames(vk_draw_once);
    done(vk_picture());
}
