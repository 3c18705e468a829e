/*
 * media: what NVENC, NVDEC, optical flow, frame capture and OptiX answer before there is a device: their versions, the
 * tables of functions that they hand out, and their errors.
 */
#include "gpu.h"

/* NVENC's and NvFBC's tables begin with a version; behind it and a reserved word there are pointers. */
struct table {
	uint32_t version, reserved;
	void *functions[400];
};

static struct table table;

static int filled(void)
{
	int n = 0;
	for (size_t k = 0; k < sizeof table.functions / sizeof *table.functions; k++)
		n += table.functions[k] != NULL;
	return n;
}

static void encode(void)
{
	void *h = open_library("libnvidia-encode.so.1");
	int (*newest)(uint32_t *) = (int (*)(uint32_t *))need_symbol(h, "NvEncodeAPIGetMaxSupportedVersion");
	int (*create)(struct table *) = (int (*)(struct table *))need_symbol(h, "NvEncodeAPICreateInstance");
	uint32_t version = 0;
	int r = newest(&version);
	printf("NvEncodeAPIGetMaxSupportedVersion: %d, %u.%u\n", r, version >> 4, version & 15);
	printf("NvEncodeAPICreateInstance of version 0: %d\n", create(&table));
	/* nvEncodeAPI.h: NVENCAPI_STRUCT_VERSION(2) of API 11.0 */
	table.version = 11 | 2 << 16 | 7u << 28;
	r = create(&table);
	printf("NvEncodeAPICreateInstance: %d, %d functions\n", r, filled());
}

static void rest(void)
{
	char caps[512] = {0};
	uint32_t version = 0;
	int (*decoder)(void *) = (int (*)(void *))need_symbol(open_library("libnvcuvid.so.1"), "cuvidGetDecoderCaps");
	int r = decoder(caps);
	printf("cuvidGetDecoderCaps: %d\n", r);
	int (*flow)(uint32_t *) =
		(int (*)(uint32_t *))need_symbol(open_library("libnvidia-opticalflow.so.1"), "NvOFGetMaxSupportedApiVersion");
	r = flow(&version);
	printf("NvOFGetMaxSupportedApiVersion: %d, %u.%u\n", r, version >> 4, version & 15);
	int (*capture)(struct table *) =
		(int (*)(struct table *))need_symbol(open_library("libnvidia-fbc.so.1"), "NvFBCCreateInstance");
	table = (struct table){0};
	printf("NvFBCCreateInstance of version 0: %d\n", capture(&table));
	int (*optix)(int, unsigned, void *, void *, void *, size_t) = (int (*)(int, unsigned, void *, void *, void *, size_t))need_symbol(
		open_library("libnvoptix.so.1"), "optixQueryFunctionTable");
	static void *functions[64];
	printf("optixQueryFunctionTable of ABI 0: %d\n", optix(0, 0, NULL, NULL, functions, sizeof functions));
}

int main(void)
{
	encode();
	rest();
	return 0;
}
