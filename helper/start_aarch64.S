	.section .note.GNU-stack, "", %progbits
	.text

	/* The kernel's block is at sp, 16-aligned. */
	.globl	_start
	.hidden	_start
	.type	_start, %function
_start:
	mov	x29, xzr
	mov	x30, xzr
	mov	x19, sp
	mov	x0, x19
	bl	launcher_stack_size
	mov	x20, sp
	sub	x20, x20, x0
	mov	sp, x20
	mov	x0, x19
	mov	x1, x20
	bl	launcher_prepare
	mov	sp, x20
	mov	x16, x0
	mov	x0, xzr
	mov	x29, xzr
	mov	x30, xzr
	br	x16
	.size	_start, . - _start

	/* From ld.so: sp is the block, x0 a function to run at exit; both are the runtime's. */
	.globl	launcher_arrive
	.hidden	launcher_arrive
	.type	launcher_arrive, %function
launcher_arrive:
	stp	x0, x30, [sp, #-16]!
	bl	launcher_leave
	mov	x16, x0
	ldp	x0, x30, [sp], #16
	br	x16
	.size	launcher_arrive, . - launcher_arrive
