/* Refers to a function of libcapsuletest-a.so, which it does not name in DT_NEEDED. */
extern "C" int cta_odd(int value);
extern "C" int ctb_through(int value) { return cta_odd(value); }
