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
/* Bytes that decoding hashes beside its own work, block by block, as far as that gets. */
struct beside {
	struct sha256 *hash;
	/* What is left of them. */
	const uint8_t *bytes;
	size_t size;
};

/* Takes what completes a block that was begun, so that whole blocks follow. */
void sha256_begin_beside(struct beside *beside, struct sha256 *hash, const uint8_t *bytes,
			 size_t size);

/* Gives the digest; the hash takes no more. */
void sha256_end(struct sha256 *hash, uint8_t *digest);

#pragma GCC visibility pop

#endif
