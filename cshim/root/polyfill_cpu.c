/* __x86_get_cpuid_feature_leaf (glibc 2.33): what CPUID says, and which of it a program may use ("active"). */
#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#include <sys/platform/x86.h>

#include "polyfill.h"

#define LEAF_COUNT 10 /* CPUID_INDEX_24_ECX_0 + 1, of glibc 2.41; the last stays empty */
#define LEAF_BITS 128 /* the numbers x86_cpu_… count four registers of 32 bits a leaf */

/* What the names CPUID_INDEX_… stand for, in their order. */
static const struct {
    unsigned leaf, subleaf;
} leaves[LEAF_COUNT - 1] = {
    {1, 0}, {7, 0}, {0x80000001, 0}, {0xd, 1}, {0x80000007, 0}, {0x80000008, 0}, {7, 1}, {0x19, 0}, {0x14, 0},
};

/* Features in groups, by the state that the system has to save for them (Intel SDM 1, 13.3: bits of XCR0). One that
 * is in no group is not active: to say less than glibc is safe. */
#define F(name) x86_cpu_##name
static const unsigned short plain[] = {
    F(SSE3), F(PCLMULQDQ), F(SSSE3), F(CMPXCHG16B), F(SSE4_1), F(SSE4_2), F(MOVBE), F(POPCNT), F(AES), F(OSXSAVE),
    F(TSC), F(CX8), F(CMOV), F(CLFSH), F(MMX), F(FXSR), F(SSE), F(SSE2), F(HTT), F(BMI1), F(BMI2), F(ERMS),
    F(RDSEED), F(ADX), F(CLFLUSHOPT), F(CLWB), F(SHA), F(OSPKE), F(WAITPKG), F(GFNI), F(RDPID), F(RDRAND),
    F(CLDEMOTE), F(MOVDIRI), F(MOVDIR64B), F(FSRM), F(SERIALIZE), F(LAHF64_SAHF64), F(LZCNT), F(SSE4A),
    F(PREFETCHW), F(TBM), F(RDTSCP), F(WBNOINVD), F(FZLRM), F(FSRS), F(FSRCS), F(PTWRITE),
};
static const unsigned short with_xsave[] = {F(XSAVE), F(XSAVEOPT), F(XSAVEC), F(XGETBV_ECX_1), F(XFD)};
static const unsigned short with_ymm[] = {
    F(AVX), F(AVX2), F(AVX_VNNI), F(FMA), F(VAES), F(VPCLMULQDQ), F(XOP), F(F16C),
};
static const unsigned short with_zmm[] = {
    F(AVX512F), F(AVX512CD), F(AVX512ER), F(AVX512PF), F(AVX512VL), F(AVX512DQ), F(AVX512BW), F(AVX512_4FMAPS),
    F(AVX512_4VNNIW), F(AVX512_BITALG), F(AVX512_IFMA), F(AVX512_VBMI), F(AVX512_VBMI2), F(AVX512_VNNI),
    F(AVX512_VPOPCNTDQ), F(AVX512_VP2INTERSECT), F(AVX512_BF16), F(AVX512_FP16),
};
static const unsigned short with_tiles[] = {F(AMX_BF16), F(AMX_TILE), F(AMX_INT8)};
#undef F
#define XCR0_YMM 0x6u      /* XMM and upper YMM */
#define XCR0_ZMM 0xe6u     /* and opmask, upper ZMM, ZMM16 to 31 */
#define XCR0_TILES 0x60000u

static struct cpuid_feature features[LEAF_COUNT];

static bool bit_of(const unsigned *registers, unsigned feature)
{
    return registers[feature % LEAF_BITS / 32] >> feature % 32 & 1;
}

static bool present(unsigned feature)
{
    return bit_of(features[feature / LEAF_BITS].cpuid_array, feature);
}

static void activate(const unsigned short *group, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (present(group[i]))
            features[group[i] / LEAF_BITS].active_array[group[i] % LEAF_BITS / 32] |= 1u << group[i] % 32;
}
#define ACTIVATE(group) activate(group, sizeof group / sizeof group[0])

static void detect(void)
{
    for (size_t i = 0; i < LEAF_COUNT - 1; i++) {
        unsigned *r = features[i].cpuid_array;
        __get_cpuid_count(leaves[i].leaf, leaves[i].subleaf, &r[0], &r[1], &r[2], &r[3]);
    }
    ACTIVATE(plain);
    if (!present(x86_cpu_OSXSAVE))
        return;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    ACTIVATE(with_xsave);
    if ((low & XCR0_YMM) == XCR0_YMM && present(x86_cpu_AVX)) {
        ACTIVATE(with_ymm);
        if ((low & XCR0_ZMM) == XCR0_ZMM && present(x86_cpu_AVX512F))
            ACTIVATE(with_zmm);
    }
    if ((low & XCR0_TILES) == XCR0_TILES)
        ACTIVATE(with_tiles);
}

/* Two threads may detect at once: they write the same. */
CAPSULE_POLYFILL(const struct cpuid_feature *, __x86_get_cpuid_feature_leaf, (unsigned leaf))
{
    static const struct cpuid_feature none;
    static bool detected;
    if (!__atomic_load_n(&detected, __ATOMIC_ACQUIRE)) {
        detect();
        __atomic_store_n(&detected, true, __ATOMIC_RELEASE);
    }
    return leaf < LEAF_COUNT ? &features[leaf] : &none;
}
#endif
