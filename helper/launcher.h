/* What the entry code of each architecture (start_*.S) calls, in this order. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <stddef.h>
#include <stdint.h>

/* Bytes to set aside on the stack for the block that ld.so will find. */
size_t launcher_stack_size(uint64_t *kernel_block);
/* Fills that block in; gives the address of ld.so's entry. */
uint64_t launcher_prepare(uint64_t *kernel_block, uint64_t *new_block);
/* Where ld.so jumps when it is done (start_*.S): AT_ENTRY. */
__attribute__((visibility("hidden"))) void launcher_arrive(void);
/* Closes what only ld.so needed; gives the address of the runtime's entry. */
uint64_t launcher_leave(void);

#endif
