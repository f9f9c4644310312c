#include "sha256.h"

#include "bytes.h"
#include "sha256_lane.h"

const uint32_t SHA256_CONSTANTS[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

void sha256_begin(struct sha256 *hash)
{
	static const uint32_t INITIAL[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	for (unsigned i = 0; i < 8; i++)
		hash->state[i] = INITIAL[i];
	hash->size = 0;
}

#define LANES _Pragma("GCC unroll 2") for (unsigned i = 0; i < lanes; i++)

/* Hashes blocks of one message, or of two in turn; `lanes` is a constant where this is inlined. */
LANE_INLINE void hash_blocks(unsigned lanes, uint32_t *const *state, const uint8_t *const *bytes,
			     size_t count)
{
	struct lane lane[2];

	LANES lane_load(&lane[i], state[i]);
	for (size_t at = 0; at < count; at++) {
		struct lane before[2];

		LANES {
			before[i] = lane[i];
			lane_begin_block(&lane[i], bytes[i] + at * SHA256_BLOCK);
		}
		_Pragma("GCC unroll 16") for (unsigned j = 0; j < 16; j++)
			LANES lane_rounds(&lane[i], j, SHA256_CONSTANTS, j < 12);
		LANES lane_end_block(&lane[i], &before[i]);
	}
	LANES lane_store(&lane[i], state[i]);
}

__attribute__((target(SHA256_INSTRUCTIONS))) static void blocks_of_one(uint32_t *state,
								       const uint8_t *bytes,
								       size_t count)
{
	hash_blocks(1, &state, &bytes, count);
}

__attribute__((target(SHA256_INSTRUCTIONS))) static void
blocks_of_two(uint32_t *state, const uint8_t *bytes, uint32_t *other, const uint8_t *other_bytes,
	      size_t count)
{
	uint32_t *const states[] = { state, other };
	const uint8_t *const both[] = { bytes, other_bytes };

	hash_blocks(2, states, both, count);
}

/* Takes what completes a block that was begun; gives how much that is. */
static size_t complete_block(struct sha256 *hash, const uint8_t *bytes, size_t size)
{
	size_t held = hash->size % SHA256_BLOCK;

	if (held == 0)
		return 0;
	if (size > SHA256_BLOCK - held)
		size = SHA256_BLOCK - held;
	copy_bytes(hash->rest + held, bytes, size);
	hash->size += size;
	if (held + size == SHA256_BLOCK)
		blocks_of_one(hash->state, hash->rest, 1);
	return size;
}

void sha256_update(struct sha256 *hash, const uint8_t *bytes, size_t size)
{
	size_t part = complete_block(hash, bytes, size);

	bytes += part;
	size -= part;
	if (size == 0)
		return;
	hash->size += size;
	blocks_of_one(hash->state, bytes, size / SHA256_BLOCK);
	copy_bytes(hash->rest, bytes + size / SHA256_BLOCK * SHA256_BLOCK, size % SHA256_BLOCK);
}

void sha256_update_two(struct sha256 *hash, const uint8_t *bytes, size_t size, struct sha256 *other,
		       const uint8_t *other_bytes, size_t other_size)
{
	size_t part = complete_block(hash, bytes, size);
	size_t other_part = complete_block(other, other_bytes, other_size);
	size_t left = size - part;
	size_t other_left = other_size - other_part;
	size_t blocks = (left < other_left ? left : other_left) / SHA256_BLOCK;

	/* Where there is a whole block left of both, both begin at one. */
	blocks_of_two(hash->state, bytes + part, other->state, other_bytes + other_part, blocks);
	hash->size += blocks * SHA256_BLOCK;
	other->size += blocks * SHA256_BLOCK;
	part += blocks * SHA256_BLOCK;
	other_part += blocks * SHA256_BLOCK;
	sha256_update(hash, bytes + part, size - part);
	sha256_update(other, other_bytes + other_part, other_size - other_part);
}

void sha256_begin_beside(struct beside *beside, struct sha256 *hash, const uint8_t *bytes,
			 size_t size)
{
	size_t part = complete_block(hash, bytes, size);

	*beside = (struct beside){ hash, bytes + part, size - part };
}

void sha256_end(struct sha256 *hash, uint8_t *digest)
{
	static const uint8_t PADDING[SHA256_BLOCK] = { 0x80 };
	uint64_t bits = __builtin_bswap64(hash->size * 8);
	size_t held = hash->size % SHA256_BLOCK;

	sha256_update(hash, PADDING, held < 56 ? 56 - held : 120 - held);
	sha256_update(hash, (const uint8_t *)&bits, sizeof(bits));
	for (unsigned i = 0; i < 8; i++) {
		uint32_t word = __builtin_bswap32(hash->state[i]);

		__builtin_memcpy(digest + 4 * i, &word, sizeof(word));
	}
}
