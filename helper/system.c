#include "system.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MEMORY_FILE_CLOEXEC 1
#define MEMORY_FILE_NOEXEC_SEAL 8

#if defined(__x86_64__)
static long call4(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static long call4(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
	return x0;
}
#else
#error "the launcher knows x86-64 and arm64"
#endif

long sys_write(int fd, const void *bytes, size_t size)
{
	return call4(__NR_write, fd, (long)bytes, (long)size, 0);
}

long sys_close(int fd)
{
	return call4(__NR_close, fd, 0, 0, 0);
}

long sys_duplicate(int fd, uint64_t least)
{
	return call4(__NR_fcntl, fd, F_DUPFD_CLOEXEC, (long)least, 0);
}

/*
 * Sealed against exec where the kernel knows that (6.3 on), since vm.memfd_noexec=2 refuses any
 * other; mapping its code is still allowed.
 */
long sys_memory_file(const char *name)
{
	long fd = call4(__NR_memfd_create, (long)name,
			MEMORY_FILE_CLOEXEC | MEMORY_FILE_NOEXEC_SEAL, 0, 0);

	return fd != -EINVAL ? fd : call4(__NR_memfd_create, (long)name, MEMORY_FILE_CLOEXEC, 0, 0);
}

long sys_forget(const void *at, size_t size)
{
	return call4(__NR_madvise, (long)at, (long)size, MADV_DONTNEED, 0);
}

long sys_exists(const char *path)
{
	return call4(__NR_faccessat, AT_FDCWD, (long)path, 0, 0);
}

long sys_open_files_limit(struct limit *limit)
{
	return call4(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)limit);
}

bool sys_is_scheduled_normally(void)
{
	return call4(__NR_sched_getscheduler, 0, 0, 0, 0) == SCHED_NORMAL;
}

long sys_schedule_as_batch(void)
{
	const int priority = 0;

	return call4(__NR_sched_setscheduler, 0, SCHED_BATCH, (long)&priority, 0);
}

long sys_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
	return call4(__NR_pwrite64, fd, (long)bytes, (long)size, (long)offset);
}

long sys_ftruncate(int fd, uint64_t size)
{
	return call4(__NR_ftruncate, fd, (long)size, 0, 0);
}

long sys_fchmod(int fd, uint32_t mode)
{
	return call4(__NR_fchmod, fd, mode, 0, 0);
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	return call4(__NR_fchown, fd, uid, gid, 0);
}

long sys_set_times(int fd, struct times times)
{
	const struct times both[2] = { times, times };

	return call4(__NR_utimensat, fd, 0, (long)both, 0);
}

long sys_futex_wait(uint32_t *word, uint32_t value)
{
	return call4(__NR_futex, (long)word, FUTEX_WAIT_PRIVATE, value, 0);
}

long sys_futex_wake(uint32_t *word)
{
	return call4(__NR_futex, (long)word, FUTEX_WAKE_PRIVATE, INT_MAX, 0);
}

_Noreturn void sys_exit(int status)
{
	for (;;)
		call4(__NR_exit_group, status, 0, 0, 0);
}
