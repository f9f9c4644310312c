	.section .note.GNU-stack, "", @progbits
	.text

	/* The kernel's block is at %rsp, 16-aligned. */
	.globl	_start
	.hidden	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rbx
	movq	%rbx, %rdi
	call	launcher_stack_size
	subq	%rax, %rsp
	movq	%rsp, %r12
	movq	%rbx, %rdi
	movq	%r12, %rsi
	call	launcher_prepare
	movq	%r12, %rsp
	xorl	%edx, %edx
	xorl	%ebx, %ebx
	xorl	%r12d, %r12d
	jmp	*%rax
	.size	_start, . - _start

	/* From ld.so: %rsp is the block, %rdx a function to run at exit; both are the runtime's. */
	.globl	launcher_arrive
	.hidden	launcher_arrive
	.type	launcher_arrive, @function
launcher_arrive:
	pushq	%rdx
	subq	$8, %rsp
	call	launcher_leave
	addq	$8, %rsp
	popq	%rdx
	jmp	*%rax
	.size	launcher_arrive, . - launcher_arrive
