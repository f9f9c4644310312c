#include "bytes.h"
#include "crc32.h"
#include "machine.h"
#include "sha256.h"

#include <arm_acle.h>
#include <arm_neon.h>

/*
 * By the identification register, which the kernel lets programs read (it answers for it); the
 * fields say 1 or more where there are SHA-256 and CRC-32.
 */
bool machine_suffices(void)
{
	uint64_t features;

	__asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(features));
	return (features >> 12 & 15) > 0 && (features >> 16 & 15) > 0;
}

/* A hash on its way through blocks. */
struct lane {
	uint32x4_t abcd;
	uint32x4_t efgh;
	/* The last sixteen words of the message. */
	uint32x4_t words[4];
};

#define LANES _Pragma("GCC unroll 2") for (unsigned lane = 0; lane < lanes; lane++)

/* Four rounds: with four words, which are replaced by those four times on where they are needed. */
__attribute__((target("+crypto"), always_inline)) static inline void rounds(struct lane *hash,
									    unsigned i)
{
	uint32x4_t *oldest = &hash->words[i % 4];
	uint32x4_t added = vaddq_u32(*oldest, vld1q_u32(&SHA256_CONSTANTS[4 * i]));
	uint32x4_t abcd_now = hash->abcd;

	if (i < 12)
		*oldest = vsha256su1q_u32(vsha256su0q_u32(*oldest, hash->words[(i + 1) % 4]),
					  hash->words[(i + 2) % 4], hash->words[(i + 3) % 4]);
	hash->abcd = vsha256hq_u32(hash->abcd, hash->efgh, added);
	hash->efgh = vsha256h2q_u32(hash->efgh, abcd_now, added);
}

/* Hashes blocks of one message, or of two in turn; `lanes` is a constant where this is inlined. */
__attribute__((target("+crypto"), always_inline)) static inline void
hash_blocks(unsigned lanes, uint32_t *const *state, const uint8_t *const *bytes, size_t count)
{
	struct lane hash[2];

	LANES {
		hash[lane].abcd = vld1q_u32(state[lane]);
		hash[lane].efgh = vld1q_u32(state[lane] + 4);
	}
	for (size_t at = 0; at < count; at++) {
		struct lane before[2];

		LANES {
			const uint8_t *block = bytes[lane] + at * SHA256_BLOCK;

			before[lane] = hash[lane];
			for (unsigned i = 0; i < 4; i++)
				hash[lane].words[i] = vreinterpretq_u32_u8(
					vrev32q_u8(vld1q_u8(block + 16 * i)));
		}
		_Pragma("GCC unroll 16") for (unsigned i = 0; i < 16; i++)
			LANES rounds(&hash[lane], i);
		LANES {
			hash[lane].abcd = vaddq_u32(hash[lane].abcd, before[lane].abcd);
			hash[lane].efgh = vaddq_u32(hash[lane].efgh, before[lane].efgh);
		}
	}
	LANES {
		vst1q_u32(state[lane], hash[lane].abcd);
		vst1q_u32(state[lane] + 4, hash[lane].efgh);
	}
}

__attribute__((target("+crypto"))) void sha256_blocks(uint32_t *state, const uint8_t *bytes,
						      size_t count)
{
	hash_blocks(1, &state, &bytes, count);
}

__attribute__((target("+crypto"))) void sha256_blocks_two(uint32_t *state, const uint8_t *bytes,
							  uint32_t *other,
							  const uint8_t *other_bytes, size_t count)
{
	uint32_t *const states[] = { state, other };
	const uint8_t *const both[] = { bytes, other_bytes };

	hash_blocks(2, states, both, count);
}

__attribute__((target("+crc"))) uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
	crc = ~crc;
	for (; size >= 8; size -= 8, bytes += 8)
		crc = __crc32d(crc, load64(bytes));
	for (; size > 0; size--)
		crc = __crc32b(crc, *bytes++);
	return ~crc;
}
