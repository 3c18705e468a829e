/*
 * The scene in PTX ("Parallel Thread Execution ISA"), without its version and target: what paint() of figure.c does for one
 * pixel, by one thread. struct setup as scene.h has it, 108 bytes: the edges' nine integers, then planes of three floats.
 */
#ifndef PTX_H
#define PTX_H

/* An edge's value at (%r3, %r4), from byte offset a on, into register r. */
#define EDGE(r, a, b, c)                                                                                               \
    "ld.global.s32 %r6, [%d5+" a "]; ld.global.s32 %r7, [%d5+" b "]; ld.global.s32 " r ", [%d5+" c "];\n"          \
    "mad.lo.s32 " r ", %r6, %r3, " r "; mad.lo.s32 " r ", %r7, %r4, " r ";\n"
/* A plane's value at (%f1, %f2) into register f, of the triangle at d. */
#define PLANE(f, d, a, b, c)                                                                                           \
    "ld.global.f32 %f4, [" d "+" a "]; ld.global.f32 %f5, [" d "+" b "]; ld.global.f32 " f ", [" d "+" c "];\n"    \
    "fma.rn.f32 " f ", %f4, %f1, " f "; fma.rn.f32 " f ", %f5, %f2, " f ";\n"
/* r to 0..63. */
#define CLAMP(r) "max.s32 " r ", " r ", 0; min.s32 " r ", " r ", 63;\n"
/* The address of texel (column, row) into d. */
#define TEXEL(d, column, row)                                                                                          \
    "mad.lo.s32 %r6, " row ", 64, " column "; mul.wide.s32 " d ", %r6, 4; add.u64 " d ", " d ", %d2;\n"
#define CHANNEL(f, d, k) "ld.global.u8 %r6, [" d "+" k "]; cvt.rn.f32.u32 " f ", %r6;\n"
/* f + (g - f) * t, into f. */
#define MIX(f, g, t) "sub.f32 " g ", " g ", " f "; fma.rn.f32 " f ", " g ", " t ", " f ";\n"
/* Colour k of the pixel: the texture's, times the plane's. */
#define COLOUR(k, a, b, c)                                                                                             \
    CHANNEL("%f10", "%d6", k) CHANNEL("%f11", "%d7", k) CHANNEL("%f12", "%d8", k) CHANNEL("%f13", "%d9", k)        \
    MIX("%f10", "%f11", "%f8") MIX("%f12", "%f13", "%f8") MIX("%f10", "%f12", "%f9")                               \
    PLANE("%f14", "%d4", a, b, c)                                                                                  \
    "fma.rn.f32 %f10, %f10, %f14, 0f3F000000; cvt.rzi.u32.f32 %r6, %f10; min.u32 %r6, %r6, 255;\n"                 \
    "st.global.u8 [%d3+" k "], %r6;\n"

#define SCENE_PTX                                                                                                      \
    ".address_size 64\n"                                                                                           \
    ".visible .entry draw(.param .u64 triangles, .param .u32 count, .param .u64 tile, .param .u64 picture)\n{\n"   \
    ".reg .pred %p<2>; .reg .b32 %r<16>; .reg .f32 %f<16>; .reg .b64 %d<12>;\n"                                    \
    "ld.param.u64 %d1, [triangles]; cvta.to.global.u64 %d1, %d1;\n"                                                \
    "ld.param.u32 %r5, [count];\n"                                                                                 \
    "ld.param.u64 %d2, [tile]; cvta.to.global.u64 %d2, %d2;\n"                                                     \
    "ld.param.u64 %d3, [picture]; cvta.to.global.u64 %d3, %d3;\n"                                                  \
    "mov.u32 %r1, %ctaid.x; mov.u32 %r6, %ntid.x; mov.u32 %r7, %tid.x; mad.lo.s32 %r1, %r1, %r6, %r7;\n"           \
    "mov.u32 %r2, %ctaid.y; mov.u32 %r6, %ntid.y; mov.u32 %r7, %tid.y; mad.lo.s32 %r2, %r2, %r6, %r7;\n"           \
    "mad.lo.s32 %r6, %r2, 256, %r1; mul.wide.s32 %d10, %r6, 4; add.u64 %d3, %d3, %d10;\n"                          \
    "mad.lo.s32 %r3, %r1, 16, 8; mad.lo.s32 %r4, %r2, 16, 8;\n" /* the pixel's centre */                           \
    "cvt.rn.f32.s32 %f1, %r1; cvt.rn.f32.s32 %f2, %r2;\n"                                                          \
    "mov.f32 %f3, 0f3F800000;\n"			/* the nearest depth yet, 1 */                                 \
    "mov.u64 %d4, %d1; mov.u64 %d5, %d1;\n" /* the triangle that is seen, the one that is tried */                 \
    "next:\n"                                                                                                      \
    EDGE("%r8", "0", "4", "8") EDGE("%r9", "12", "16", "20") EDGE("%r10", "24", "28", "32")                        \
    "or.b32 %r8, %r8, %r9; or.b32 %r8, %r8, %r10;\n" /* negative if one is */                                      \
    "setp.lt.s32 %p1, %r8, 0; @%p1 bra skip;\n"                                                                    \
    PLANE("%f6", "%d5", "36", "40", "44")                                                                          \
    "setp.ge.f32 %p1, %f6, %f3; @%p1 bra skip;\n"                                                                  \
    "mov.f32 %f3, %f6; mov.u64 %d4, %d5;\n"                                                                        \
    "skip:\n"                                                                                                      \
    "add.u64 %d5, %d5, 108; sub.u32 %r5, %r5, 1;\n"                                                                \
    "setp.ne.u32 %p1, %r5, 0; @%p1 bra next;\n"                                                                    \
    PLANE("%f6", "%d4", "84", "88", "92") PLANE("%f7", "%d4", "96", "100", "104")                                  \
    "sub.f32 %f6, %f6, 0f3F000000; sub.f32 %f7, %f7, 0f3F000000;\n"                                                \
    "cvt.rmi.s32.f32 %r8, %f6; cvt.rmi.s32.f32 %r9, %f7;\n"                                                        \
    "cvt.rn.f32.s32 %f8, %r8; sub.f32 %f8, %f6, %f8; cvt.rn.f32.s32 %f9, %r9; sub.f32 %f9, %f7, %f9;\n"            \
    "add.s32 %r10, %r8, 1; add.s32 %r11, %r9, 1;\n"                                                                \
    CLAMP("%r8") CLAMP("%r9") CLAMP("%r10") CLAMP("%r11")                                                          \
    TEXEL("%d6", "%r8", "%r9") TEXEL("%d7", "%r10", "%r9") TEXEL("%d8", "%r8", "%r11") TEXEL("%d9", "%r10", "%r11") \
    COLOUR("0", "48", "52", "56") COLOUR("1", "60", "64", "68") COLOUR("2", "72", "76", "80")                      \
    "mov.u32 %r6, 255; st.global.u8 [%d3+3], %r6;\n"                                                               \
    "ret;\n}\n"

#endif
