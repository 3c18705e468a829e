/* A kernel in PTX ("Parallel Thread Execution ISA"), without its version and target. */
#ifndef KERNEL_H
#define KERNEL_H

/* One step for each round, on an integer and on a float: both are exact, so that here and there agree to the bit. */
#define KERNEL                                                                                                         \
	".address_size 64\n"                                                                                           \
	".visible .entry mix(.param .u64 data, .param .u32 count, .param .u32 rounds)\n"                               \
	"{\n"                                                                                                          \
	"	.reg .pred %p<3>;\n"                                                                                  \
	"	.reg .b32 %r<10>;\n"                                                                                  \
	"	.reg .f32 %f<2>;\n"                                                                                   \
	"	.reg .b64 %d<4>;\n"                                                                                   \
	"	ld.param.u64 %d1, [data];\n"                                                                          \
	"	ld.param.u32 %r1, [count];\n"                                                                         \
	"	ld.param.u32 %r2, [rounds];\n"                                                                        \
	"	mov.u32 %r3, %ctaid.x;\n"                                                                             \
	"	mov.u32 %r4, %ntid.x;\n"                                                                              \
	"	mov.u32 %r5, %tid.x;\n"                                                                               \
	"	mad.lo.u32 %r6, %r3, %r4, %r5;\n"                                                                     \
	"	setp.ge.u32 %p1, %r6, %r1;\n"                                                                         \
	"	@%p1 bra done;\n"                                                                                     \
	"	cvta.to.global.u64 %d2, %d1;\n"                                                                       \
	"	mul.wide.u32 %d3, %r6, 8;\n"                                                                          \
	"	add.u64 %d2, %d2, %d3;\n"                                                                             \
	"	ld.global.u32 %r7, [%d2];\n"                                                                          \
	"	ld.global.f32 %f1, [%d2+4];\n"                                                                        \
	"	mov.u32 %r8, 0;\n"                                                                                    \
	"next:\n"                                                                                                      \
	"	setp.ge.u32 %p2, %r8, %r2;\n"                                                                         \
	"	@%p2 bra store;\n"                                                                                    \
	"	mad.lo.u32 %r7, %r7, 1664525, 1013904223;\n"                                                          \
	"	fma.rn.f32 %f1, %f1, 0f3F400000, 0f3EAAAAAB;\n" /* 0.75, 1/3 */                                       \
	"	add.u32 %r8, %r8, 1;\n"                                                                               \
	"	bra next;\n"                                                                                          \
	"store:\n"                                                                                                     \
	"	st.global.u32 [%d2], %r7;\n"                                                                          \
	"	st.global.f32 [%d2+4], %f1;\n"                                                                        \
	"done:\n"                                                                                                      \
	"	ret;\n"                                                                                               \
	"}\n"
#endif
