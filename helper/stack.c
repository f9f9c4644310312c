#include "stack.h"

#include "hidden.h"

struct block block_read(uint64_t *words)
{
	struct block block = { .argc = words[0], .argv = (char **)(words + 1) };

	block.envp = block.argv + block.argc + 1;
	while (block.envp[block.env_count] != NULL)
		block.env_count++;
	block.auxv = (Elf64_auxv_t *)(block.envp + block.env_count + 1);
	while (block.auxv[block.auxv_count++].a_type != AT_NULL)
		;
	return block;
}

static size_t user_arguments(const struct block *from)
{
	return from->argc > 0 ? from->argc - 1 : 0;
}

size_t block_size(const struct block *from, const struct additions *add)
{
	size_t argc = add->argument_count + user_arguments(from);
	size_t envc = add->environment_count + add->found_environment_count + from->env_count;
	size_t words = 1 + argc + 1 + envc + 1;

	return (words * sizeof(uint64_t) + from->auxv_count * sizeof(Elf64_auxv_t) + 15) &
	       ~(size_t)15;
}

static uint64_t *put_strings(uint64_t *to, const char *strings, size_t count)
{
	while (count-- > 0) {
		*to++ = (uint64_t)strings;
		while (*strings++ != '\0')
			;
	}
	return to;
}

static uint64_t *put_pointers(uint64_t *to, char *const *pointers, size_t count)
{
	while (count-- > 0)
		*to++ = (uint64_t)*pointers++;
	return to;
}

static uint64_t substitute(const Elf64_auxv_t *entry, const struct substitutes *with)
{
	switch (entry->a_type) {
	case AT_PHDR:
		return with->headers;
	case AT_PHNUM:
		return with->header_count;
	case AT_BASE:
		return with->loader;
	case AT_ENTRY:
		return with->entry;
	default:
		return entry->a_un.a_val;
	}
}

void block_write(uint64_t *to, const struct block *from, const struct additions *add,
		 const struct substitutes *with)
{
	size_t arguments = user_arguments(from);
	size_t i;

	*to++ = add->argument_count + arguments;
	to = put_strings(to, add->arguments, add->argument_count);
	to = put_pointers(to, from->argv + (from->argc - arguments), arguments);
	*to++ = 0;

	/* Ours first: getenv takes the first of two (is_hidden sees to it that there are no two). */
	to = put_strings(to, add->environment, add->environment_count);
	to = put_strings(to, add->found_environment, add->found_environment_count);
	for (i = 0; i < from->env_count; i++) {
		if (is_hidden(from->envp[i]))
			hide(from->envp[i]);
	}
	to = put_pointers(to, from->envp, from->env_count);
	*to++ = 0;

	for (i = 0; i < from->auxv_count; i++) {
		*to++ = from->auxv[i].a_type;
		*to++ = substitute(&from->auxv[i], with);
	}
}
