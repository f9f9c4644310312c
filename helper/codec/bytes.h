/* Unaligned access and copies without a libc. Everything here is little-endian. */
#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the codec is for little-endian machines"
#endif

/* A vector register's worth. */
struct block16 {
	uint64_t half[2];
};

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

static inline void store64(uint8_t *at, uint64_t word)
{
	__builtin_memcpy(at, &word, sizeof(word));
}

static inline void copy16(uint8_t *to, const uint8_t *from)
{
	struct block16 block;

	__builtin_memcpy(&block, from, sizeof(block));
	__builtin_memcpy(to, &block, sizeof(block));
}

/* The two do not overlap, or `to` is below `from`. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, size_t size)
{
	for (; size >= 16; size -= 16, to += 16, from += 16)
		copy16(to, from);
	while (size-- > 0)
		*to++ = *from++;
}

#endif
