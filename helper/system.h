/* The few system calls the launcher makes; each gives a negative errno when it fails. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stddef.h>
#include <stdint.h>

struct limit {
	uint64_t soft;
	uint64_t hard;
};

long sys_write(int fd, const void *bytes, size_t size);
long sys_close(int fd);
/* A close-on-exec file in memory. */
long sys_memory_file(const char *name);
/* Takes pages that can be read again from their file out of memory; `at` begins a page. */
long sys_forget(const void *at, size_t size);
long sys_exists(const char *path);
long sys_open_files_limit(struct limit *limit);
_Noreturn void sys_exit(int status);

#endif
