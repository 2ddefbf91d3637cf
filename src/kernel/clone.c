/* SPDX-License-Identifier: MIT */
#include "kernel/clone.h"

#include <linux/sched.h>
#include <sched.h>

/*
 * long clone3_on_stack(struct clone_args *args, size_t size, int (*fn)(void *), void *arg)
 *
 * In assembly because the child mostly starts on an empty stack: no compiled frame of ours exists there,
 * so nothing may be returned from or spilled between the system call and the call of fn.
 */
long clone3_on_stack(struct clone_args *args, size_t size, int (*fn)(void *), void *arg);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl clone3_on_stack\n"
	".hidden clone3_on_stack\n"
	".type clone3_on_stack,@function\n"
	"clone3_on_stack:\n"
	"	mov %rcx, %r8\n" /* the system call destroys rcx and r11 only */
	"	mov $435, %eax\n"
	"	syscall\n"
	"	test %eax, %eax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n" /* a copy of our own stack is in the midst of a call */
	"	mov %r8, %rdi\n"
	"	call *%rdx\n"
	"	mov %eax, %edi\n"
	"	mov $231, %eax\n" /* exit_group */
	"	syscall\n"
	"	hlt\n"
	"1:	cltq\n"
	"	ret\n"
	".size clone3_on_stack, .-clone3_on_stack\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl clone3_on_stack\n"
	".hidden clone3_on_stack\n"
	".type clone3_on_stack,%function\n"
	"clone3_on_stack:\n"
	"	mov x8, #435\n"
	"	svc #0\n"
	"	cbnz x0, 1f\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, x3\n"
	"	blr x2\n"
	"	mov x8, #94\n" /* exit_group */
	"	svc #0\n"
	"	brk #0\n"
	"1:	ret\n"
	".size clone3_on_stack, .-clone3_on_stack\n"
	".section .note.GNU-stack,\"\",%progbits\n"
	".text\n");
#else
#error "clone3_on_stack is written for x86-64 and arm64"
#endif

long clone_call(const struct clone_request *request, int (*fn)(void *), void *arg)
{
	struct clone_args args = {
		.flags = request->flags,
		.exit_signal = (uint64_t)request->exit_signal,
		.stack = (uint64_t)(uintptr_t)request->stack,
		.stack_size = request->stack_size,
		.pidfd = (uint64_t)(uintptr_t)request->ret_pidfd,
		.parent_tid = (uint64_t)(uintptr_t)request->ret_parent_tid,
	};
	if (request->flags & CLONE_INTO_CGROUP)
		args.cgroup = (uint64_t)request->into_cgroup;
	return clone3_on_stack(&args, sizeof(args), fn, arg);
}
