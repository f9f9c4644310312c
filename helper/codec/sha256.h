/* SHA-256 (FIPS 180-4) by the machine's own instructions. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

enum {
	SHA256_BLOCK = 64,
	SHA256_SIZE = 32,
};

struct sha256 {
	uint32_t state[8];
	/* In bytes. */
	uint64_t size;
	/* What has not filled a block. */
	uint8_t rest[SHA256_BLOCK];
};

/* Hidden, so that their addresses are taken without a table that would need relocating. */
#pragma GCC visibility push(hidden)

extern const uint32_t SHA256_CONSTANTS[64];

void sha256_begin(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const uint8_t *bytes, size_t size);
/*
 * Updates two hashes, in little more time than the larger one takes: each of the machine's
 * instructions waits for the one before of its own hash.
 */
void sha256_update_two(struct sha256 *hash, const uint8_t *bytes, size_t size, struct sha256 *other,
		       const uint8_t *other_bytes, size_t other_size);
/* Gives the digest; the hash takes no more. */
void sha256_end(struct sha256 *hash, uint8_t *digest);

/* Hash whole blocks (machine_*.c): of one, or as many of each of two. */
void sha256_blocks(uint32_t *state, const uint8_t *bytes, size_t count);
void sha256_blocks_two(uint32_t *state, const uint8_t *bytes, uint32_t *other,
		       const uint8_t *other_bytes, size_t count);

#pragma GCC visibility pop

#endif
