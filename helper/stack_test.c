/* The parts of the launcher that need no kernel, built with a libc and its sanitisers. */
#include "hidden.h"
#include "stack.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void check(bool right, const char *what)
{
	if (!right) {
		printf("not so: %s\n", what);
		failures++;
	}
}

static void test_text(void)
{
	char buffer[64];
	char *end = text_append_number(text_append(buffer, "n="), UINT64_MAX);

	check(strcmp(buffer, "n=18446744073709551615") == 0, "the largest number is written whole");
	check(end == buffer + strlen(buffer), "the end is where the NUL is");
	text_append_number(buffer, 0);
	check(strcmp(buffer, "0") == 0, "zero is one digit");
}

static void test_hidden(void)
{
	char entry[] = "LD_PRELOAD=/evil.so";

	check(is_hidden("DENO_DIR=/x") && is_hidden("HOME=/root") && is_hidden(entry),
	      "what the runtime, ld.so and libc would obey is hidden");
	check(!is_hidden("HOMEPAGE=x") && !is_hidden("PATH=/bin") && !is_hidden("") &&
		      !is_hidden("MCP_ENV_LD_PRELOAD=x"),
	      "nothing else is");
	hide(entry);
	check(strcmp(entry, "\fD_PRELOAD=/evil.so") == 0, "the first letter becomes its control");
}

/* A block as the kernel writes it, in memory that ends where the block does. */
static uint64_t *kernel_block(size_t argc, char **strings, size_t envc)
{
	Elf64_auxv_t aux[] = {
		{ AT_PHDR, { 1 } }, { AT_PHNUM, { 2 } }, { AT_BASE, { 0 } },
		{ AT_ENTRY, { 3 } }, { AT_PAGESZ, { 4096 } }, { AT_NULL, { 0 } },
	};
	size_t words = 1 + argc + 1 + envc + 1 + sizeof(aux) / (sizeof(uint64_t));
	uint64_t *block = calloc(words, sizeof(uint64_t));

	if (block == NULL)
		abort();
	block[0] = argc;
	memcpy(block + 1, strings, argc * sizeof(char *));
	memcpy(block + 1 + argc + 1, strings + argc, envc * sizeof(char *));
	memcpy(block + words - sizeof(aux) / (sizeof(uint64_t)), aux, sizeof(aux));
	return block;
}

static void test_block(size_t user_arguments)
{
	static const char arguments[] = "deno\0run\0";
	static const char environment[] = "HOME=/proc/nowhere";
	static const char found[] = "A=1\0B=2";
	struct additions add = { arguments, 2, environment, 1, found, 2 };
	struct substitutes with = { 11, 12, 13, 14 };
	char home[] = "HOME=/root";
	char path[] = "PATH=/bin";
	char argument[] = "x";
	size_t argc = user_arguments + 1;
	char **strings = calloc(argc + 2, sizeof(char *));
	uint64_t *kernel;
	uint64_t *block;
	struct block from;
	struct block made;

	if (strings == NULL)
		abort();
	for (size_t i = 0; i < argc; i++)
		strings[i] = argument;
	strings[argc] = home;
	strings[argc + 1] = path;
	kernel = kernel_block(argc, strings, 2);
	from = block_read(kernel);
	check(from.argc == argc && from.env_count == 2 && from.auxv_count == 6, "a block is read");

	block = malloc(block_size(&from, &add));
	if (block == NULL)
		abort();
	check(block_size(&from, &add) % 16 == 0, "the stack stays aligned");
	block_write(block, &from, &add, &with);
	made = block_read(block);
	check(made.argc == 2 + user_arguments, "ours and the user's arguments");
	check(strcmp(made.argv[0], "deno") == 0 && strcmp(made.argv[1], "run") == 0, "ours first");
	check(user_arguments == 0 || made.argv[made.argc - 1] == argument, "then the user's");
	check(made.argv[made.argc] == NULL, "arguments end");
	check(made.env_count == 5 && strcmp(made.envp[0], environment) == 0, "our variables first");
	check(strcmp(made.envp[2], "B=2") == 0, "then those found");
	check(made.envp[3] == home && home[0] == '\b' && made.envp[4] == path, "then the user's");
	check(made.auxv_count == 6, "the auxiliary vector is whole");
	check(made.auxv[0].a_un.a_val == 11 && made.auxv[1].a_un.a_val == 12 &&
		      made.auxv[2].a_un.a_val == 13 && made.auxv[3].a_un.a_val == 14,
	      "it speaks of the runtime");
	check(made.auxv[4].a_un.a_val == 4096, "the rest of it stays");
	free(block);
	free(kernel);
	free(strings);
}

/* Linux before 5.18 lets a program be started with no argument at all. */
static void test_no_arguments(void)
{
	struct additions add = { "deno", 1, "", 0, "", 0 };
	struct substitutes with = { 1, 2, 3, 4 };
	uint64_t *kernel = kernel_block(0, (char *[]){ NULL }, 0);
	struct block from = block_read(kernel);
	uint64_t *block = malloc(block_size(&from, &add));

	if (block == NULL)
		abort();
	block_write(block, &from, &add, &with);
	check(block[0] == 1 && block[2] == 0 && block[3] == 0, "argv[0] is there all the same");
	free(block);
	free(kernel);
}

int main(void)
{
	test_text();
	test_hidden();
	test_block(0);
	test_block(3);
	test_block(20000);
	test_no_arguments();
	puts(failures == 0 ? "all right" : "failed");
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
