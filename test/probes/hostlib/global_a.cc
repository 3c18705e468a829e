/* Opened with RTLD_GLOBAL, so that libcapsuletest-b.so finds its function. */
extern "C" int cta_odd(int value) { return 2 * value + 1; }
