/* nvml: the driver's version and the devices by NVML, without its headers. */
#include "gpu.h"

#define SYM(h, type, name) type name = (type)need_symbol(h, #name)

int main(void)
{
	typedef int (*plain)(void);
	typedef int (*text)(char *, unsigned);
	typedef int (*number)(unsigned *);
	typedef int (*handle)(unsigned, void **);
	typedef int (*device_text)(void *, char *, unsigned);
	typedef int (*device_memory)(void *, unsigned long long *);
	typedef const char *(*describe)(int);
	char buffer[96];
	unsigned n = 0;
	void *h = open_library("libnvidia-ml.so.1");
	SYM(h, plain, nvmlInit_v2);
	SYM(h, plain, nvmlShutdown);
	SYM(h, text, nvmlSystemGetDriverVersion);
	SYM(h, text, nvmlSystemGetNVMLVersion);
	SYM(h, number, nvmlDeviceGetCount_v2);
	SYM(h, handle, nvmlDeviceGetHandleByIndex_v2);
	SYM(h, device_text, nvmlDeviceGetName);
	SYM(h, device_text, nvmlDeviceGetUUID);
	SYM(h, device_memory, nvmlDeviceGetMemoryInfo);
	SYM(h, describe, nvmlErrorString);
	double t = now_ms();
	int r = nvmlInit_v2();
	print_time("nvmlInit", now_ms() - t);
	printf("nvmlInit_v2: %d: %s\n", r, nvmlErrorString(r));
	int v = nvmlSystemGetNVMLVersion(buffer, sizeof buffer);
	printf("nvmlSystemGetNVMLVersion: %d, %s\n", v, v ? "none" : buffer);
	if (r)
		return NOTHING;
	v = nvmlSystemGetDriverVersion(buffer, sizeof buffer);
	printf("driver: %d, %s\n", v, v ? "none" : buffer);
	v = nvmlDeviceGetCount_v2(&n);
	printf("devices: %d, %u\n", v, n);
	for (unsigned k = 0; k < n; k++) {
		void *device;
		unsigned long long memory[3] = {0}; /* total, free, used */
		if ((v = nvmlDeviceGetHandleByIndex_v2(k, &device))) {
			printf("device %u: %d: %s\n", k, v, nvmlErrorString(v));
			continue;
		}
		v = nvmlDeviceGetName(device, buffer, sizeof buffer);
		printf("device %u: %s", k, v ? "no name" : buffer);
		v = nvmlDeviceGetUUID(device, buffer, sizeof buffer);
		printf(", %s", v ? "no UUID" : buffer);
		v = nvmlDeviceGetMemoryInfo(device, memory);
		printf(", %llu MiB\n", v ? 0 : memory[0] >> 20);
	}
	v = nvmlShutdown();
	printf("nvmlShutdown: %d\n", v);
	return n ? 0 : NOTHING;
}
