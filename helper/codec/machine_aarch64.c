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

__attribute__((target("+crypto"))) void sha256_blocks(uint32_t *state, const uint8_t *bytes,
						      size_t count)
{
	uint32x4_t abcd = vld1q_u32(state);
	uint32x4_t efgh = vld1q_u32(state + 4);

	for (; count > 0; count--, bytes += SHA256_BLOCK) {
		const uint32x4_t abcd_before = abcd;
		const uint32x4_t efgh_before = efgh;
		uint32x4_t words[4];

		for (unsigned i = 0; i < 4; i++)
			words[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes + 16 * i)));
		for (unsigned i = 0; i < 16; i++) {
			uint32x4_t *oldest = &words[i % 4];
			uint32x4_t added = vaddq_u32(*oldest, vld1q_u32(&SHA256_CONSTANTS[4 * i]));
			uint32x4_t abcd_now = abcd;

			if (i < 12)
				*oldest = vsha256su1q_u32(
					vsha256su0q_u32(*oldest, words[(i + 1) % 4]),
					words[(i + 2) % 4], words[(i + 3) % 4]);
			abcd = vsha256hq_u32(abcd, efgh, added);
			efgh = vsha256h2q_u32(efgh, abcd_now, added);
		}
		abcd = vaddq_u32(abcd, abcd_before);
		efgh = vaddq_u32(efgh, efgh_before);
	}
	vst1q_u32(state, abcd);
	vst1q_u32(state + 4, efgh);
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
