/*
 * vendor vulkan|glx|egl LIBRARY: a vendor library's side of the interface, called as a loader would: what each negotiation
 * gives, and which functions can be had by name before there is an instance or a display.
 */
#define VK_NO_PROTOTYPES
#include "gpu.h"

#include <string.h>
#include <vulkan/vulkan.h>

typedef VkResult (*negotiate)(uint32_t *);
typedef PFN_vkVoidFunction (*get_proc)(VkInstance, const char *);

static void vulkan(const char *library)
{
	void *h = open_library(library);
	negotiate nego = (negotiate)need_symbol(h, "vk_icdNegotiateLoaderICDInterfaceVersion");
	get_proc proc = (get_proc)need_symbol(h, "vk_icdGetInstanceProcAddr");
	for (uint32_t k = 0; k <= 7; k++) {
		uint32_t version = k;
		VkResult r = nego(&version);
		printf("interface %u: %d, %u\n", k, r, version);
	}
	static const char *const names[] = {"vkCreateInstance", "vkEnumerateInstanceVersion", "vkEnumerateInstanceExtensionProperties",
		"vkEnumeratePhysicalDevices", "vkCreateDevice", "vkQueuePresentKHR", "vkNoSuchFunction"};
	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		printf("%s: %s\n", names[k], proc(NULL, names[k]) ? "there" : "not there");
	uint32_t version = 0, n = 0;
	PFN_vkEnumerateInstanceVersion ask = (PFN_vkEnumerateInstanceVersion)proc(NULL, "vkEnumerateInstanceVersion");
	PFN_vkEnumerateInstanceExtensionProperties list =
		(PFN_vkEnumerateInstanceExtensionProperties)proc(NULL, "vkEnumerateInstanceExtensionProperties");
	PFN_vkCreateInstance create = (PFN_vkCreateInstance)proc(NULL, "vkCreateInstance");
	if (!ask || !list || !create)
		return;
	VkResult r = ask(&version);
	printf("vkEnumerateInstanceVersion: %d, %u.%u.%u\n", r, VK_VERSION_MAJOR(version), VK_VERSION_MINOR(version),
	       VK_VERSION_PATCH(version));
	r = list(NULL, &n, NULL);
	printf("vkEnumerateInstanceExtensionProperties: %d, %u\n", r, n);
	VkInstance instance;
	VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
	r = create(&info, NULL, &instance);
	printf("vkCreateInstance: %d\n", r);
}

static void glx(const char *library)
{
	int (*entry)(uint32_t, const void *, void *, void *) =
		(int (*)(uint32_t, const void *, void *, void *))need_symbol(open_library(library), "__glx_Main");
	/* An interface version (major in the upper half) that no vendor knows is refused before anything is touched. */
	printf("__glx_Main: %d\n", entry(0x7fff0000, NULL, NULL, NULL));
}

static void egl(const char *library)
{
	int (*entry)(uint32_t, const void *, void *, void *) =
		(int (*)(uint32_t, const void *, void *, void *))need_symbol(open_library(library), "__egl_Main");
	printf("__egl_Main: %d\n", entry(0x7fff0000, NULL, NULL, NULL));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *);
	} interfaces[] = {{"vulkan", vulkan}, {"glx", glx}, {"egl", egl}};
	for (size_t k = 0; argc == 3 && k < sizeof interfaces / sizeof *interfaces; k++)
		if (!strcmp(argv[1], interfaces[k].name)) {
			interfaces[k].run(argv[2]);
			return 0;
		}
	fprintf(stderr, "usage: vendor vulkan|glx|egl LIBRARY\n");
	return 2;
}
