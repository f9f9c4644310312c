/* Decoding tables of DEFLATE's prefix codes (RFC 1951, 3.2.2). */
#ifndef HUFFMAN_H
#define HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MAX_CODEWORD = 15,
	/* Most symbols that one code has: literals and lengths, the two unused among them. */
	MAX_SYMBOLS = 288,
};

/*
 * An entry says what the next bits are:
 *   bits 0-7    how many bits it takes: its codeword and its extra bits
 *   bits 8-11   its codeword's bits; of a link, the bits that index what it leads to
 *   bits 12-15  flags
 *   bits 16-31  a literal, a length's or distance's least value, or where a link leads
 */
enum {
	ENTRY_LITERAL = 1 << 12,
	/* Anything but a literal, length or distance: one of the next two, or an invalid codeword. */
	ENTRY_OTHER = 1 << 13,
	ENTRY_END = 1 << 14,
	ENTRY_LINK = 1 << 15,
};

static inline unsigned entry_bits(uint32_t entry)
{
	return entry & 0xff;
}

static inline unsigned entry_codeword(uint32_t entry)
{
	return (entry >> 8) & 15;
}

static inline uint32_t entry_value(uint32_t entry)
{
	return entry >> 16;
}

/* An entry of a symbol, without its codeword's bits; `extra` bits follow the codeword. */
#define ENTRY(flags, value, extra) (((uint32_t)(value) << 16) | (uint32_t)(flags) | (extra))
#define INVALID_ENTRY (ENTRY(ENTRY_OTHER, 0, 0) | (1 << 8) | 1)

/*
 * Fills `table`, indexed by `table_bits` bits of input, with links to what longer codewords need
 * behind it. `entries` are the symbols' own, `lengths` their codewords' bits (0: unused).
 * Gives false when the lengths are not a code: too many codewords, or too few of them unless there
 * is but one, of one bit, or none (zlib's rule).
 */
bool huffman_build(uint32_t *table, unsigned table_bits, const uint32_t *entries,
		   const uint8_t *lengths, size_t symbols);

#endif
