#include "textflag.h"

// A signal handler by the System V ABI: DI signal number, SI siginfo_t, DX ucontext. It runs on the thread's alternate
// signal stack, at any instruction of any goroutine, so it may use no Go at all. Registers need not be saved,
// rt_sigreturn restores them; there is no errno to keep.
TEXT ·handler(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVL ·signalPipe(SB), DI
	MOVL $128, DX // sizeof(siginfo_t)
	MOVL $1, AX   // write
	SYSCALL
	RET           // to the restorer, whose address the kernel has pushed

// The kernel of x86-64 demands a restorer (SA_RESTORER).
TEXT ·restorer(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVL $15, AX  // rt_sigreturn
	SYSCALL
	INT  $3       // not reached

// func handlerPC() uintptr
TEXT ·handlerPC(SB),NOSPLIT,$0-8
	LEAQ ·handler(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func restorerPC() uintptr
TEXT ·restorerPC(SB),NOSPLIT,$0-8
	LEAQ ·restorer(SB), AX
	MOVQ AX, ret+0(FP)
	RET
