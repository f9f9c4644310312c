/* Strings without a libc. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
	/* the longest 64-bit number in decimal, and its NUL */
	NUMBER_SIZE = 21,
};

size_t text_length(const char *text);
/* Each appends to what ends at `end` and gives the new end, where it leaves a NUL. */
char *text_append(char *end, const char *text);
char *text_append_number(char *end, uint64_t number);

#endif
