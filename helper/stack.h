/* The block a program finds on its stack: argc, argv, envp and the auxiliary vector. */
#ifndef STACK_H
#define STACK_H

#include "layout.h"

#include <stddef.h>
#include <stdint.h>

/* Where the parts of such a block are. */
struct block {
	uint64_t argc;
	char **argv;
	char **envp;
	Elf64_auxv_t *auxv;
	size_t env_count;
	size_t auxv_count; /* with its AT_NULL */
};

/* Strings that come before the user's, as the packer lays them. */
struct additions {
	const char *arguments; /* argv[0] among them: the user's own is dropped */
	size_t argument_count;
	const char *environment;
	size_t environment_count;
	const char *found_environment; /* what is known at run time only */
	size_t found_environment_count;
};

/* Values of the auxiliary vector that change. */
struct substitutes {
	uint64_t headers;
	uint64_t header_count;
	uint64_t loader;
	uint64_t entry;
};

struct block block_read(uint64_t *words);
/* Bytes the new block takes, a multiple of 16. */
size_t block_size(const struct block *from, const struct additions *add);
/* Writes it at `to`; strings are not copied. Hidden entries of `from` are renamed in place. */
void block_write(uint64_t *to, const struct block *from, const struct additions *add,
		 const struct substitutes *with);

#endif
