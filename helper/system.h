/* The few system calls the launcher and the codec make; each gives a negative errno when it fails. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit {
	uint64_t soft;
	uint64_t hard;
};

/* Seconds and nanoseconds since 1970. */
struct times {
	int64_t seconds;
	int64_t nanoseconds;
};

long sys_write(int fd, const void *bytes, size_t size);
long sys_close(int fd);
/* The same file again, closed on exec, by the least free number from `least` on. */
long sys_duplicate(int fd, uint64_t least);
/* A close-on-exec file in memory. */
long sys_memory_file(const char *name);
/* Takes pages that can be read again from their file out of memory; `at` begins a page. */
long sys_forget(const void *at, size_t size);
long sys_exists(const char *path);
long sys_open_files_limit(struct limit *limit);
/* Of this thread, and of those it starts (sched(7)): a batch job does not interrupt others. */
bool sys_is_scheduled_normally(void);
long sys_schedule_as_batch(void);
long sys_pwrite(int fd, const void *bytes, size_t size, uint64_t offset);
long sys_ftruncate(int fd, uint64_t size);
long sys_fchmod(int fd, uint32_t mode);
long sys_fchown(int fd, uint32_t uid, uint32_t gid);
/* When the file was last read and changed. */
long sys_set_times(int fd, struct times times);
/* Sleeps if the word is still `value`, until another thread wakes it; it may also wake by itself. */
long sys_futex_wait(uint32_t *word, uint32_t value);
long sys_futex_wake(uint32_t *word);
_Noreturn void sys_exit(int status);

#endif
