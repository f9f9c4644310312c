/*
 * SHA-256's rounds by the machine's own instructions, to be inlined between what else there is to do:
 * each waits for the one before, so that another hash, or a decoder, costs little more beside it.
 */
#ifndef SHA256_LANE_H
#define SHA256_LANE_H

#include "sha256.h"

#include <stdbool.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define SHA256_INSTRUCTIONS "sha,ssse3,sse4.1"
#define LANE_INLINE __attribute__((target(SHA256_INSTRUCTIONS), always_inline)) static inline

/* A hash on its way through a block. */
struct lane {
	/* As the instructions want them: a, b, e, f in one register and c, d, g, h in the other. */
	__m128i abef;
	__m128i cdgh;
	/* The last sixteen words of the message. */
	__m128i words[4];
};

LANE_INLINE void lane_load(struct lane *lane, const uint32_t *state)
{
	const __m128i *halves = (const __m128i *)state;
	__m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(halves), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(halves + 1), 0x1b);

	lane->abef = _mm_alignr_epi8(badc, hgfe, 8);
	lane->cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
}

LANE_INLINE void lane_store(const struct lane *lane, uint32_t *state)
{
	__m128i *halves = (__m128i *)state;
	__m128i feba = _mm_shuffle_epi32(lane->abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(lane->cdgh, 0xb1);

	_mm_storeu_si128(halves, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128(halves + 1, _mm_alignr_epi8(dchg, feba, 8));
}

LANE_INLINE void lane_begin_block(struct lane *lane, const uint8_t *block)
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

	_Pragma("GCC unroll 4") for (unsigned i = 0; i < 4; i++)
		lane->words[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + i),
						  big_endian);
}

LANE_INLINE void lane_end_block(struct lane *lane, const struct lane *before)
{
	lane->abef = _mm_add_epi32(lane->abef, before->abef);
	lane->cdgh = _mm_add_epi32(lane->cdgh, before->cdgh);
}

/*
 * Four rounds, with four words; `i` of them and their constants. If asked, the words are replaced by
 * those four times on.
 */
LANE_INLINE void lane_rounds(struct lane *lane, unsigned i, const uint32_t *constants, bool replace)
{
	__m128i *w0 = &lane->words[i % 4];
	__m128i w1 = lane->words[(i + 1) % 4];
	__m128i w2 = lane->words[(i + 2) % 4];
	__m128i w3 = lane->words[(i + 3) % 4];
	__m128i added = _mm_add_epi32(*w0, _mm_loadu_si128((const __m128i *)(constants + 4 * i)));

	lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, added);
	lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(added, 0x0e));
	if (replace)
		*w0 = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*w0, w1),
							 _mm_alignr_epi8(w3, w2, 4)),
					   w3);
}

#elif defined(__aarch64__)

#include <arm_neon.h>

#define SHA256_INSTRUCTIONS "+crypto"
#define LANE_INLINE __attribute__((target(SHA256_INSTRUCTIONS), always_inline)) static inline

struct lane {
	uint32x4_t abcd;
	uint32x4_t efgh;
	uint32x4_t words[4];
};

LANE_INLINE void lane_load(struct lane *lane, const uint32_t *state)
{
	lane->abcd = vld1q_u32(state);
	lane->efgh = vld1q_u32(state + 4);
}

LANE_INLINE void lane_store(const struct lane *lane, uint32_t *state)
{
	vst1q_u32(state, lane->abcd);
	vst1q_u32(state + 4, lane->efgh);
}

LANE_INLINE void lane_begin_block(struct lane *lane, const uint8_t *block)
{
	_Pragma("GCC unroll 4") for (unsigned i = 0; i < 4; i++)
		lane->words[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block + 16 * i)));
}

LANE_INLINE void lane_end_block(struct lane *lane, const struct lane *before)
{
	lane->abcd = vaddq_u32(lane->abcd, before->abcd);
	lane->efgh = vaddq_u32(lane->efgh, before->efgh);
}

LANE_INLINE void lane_rounds(struct lane *lane, unsigned i, const uint32_t *constants, bool replace)
{
	uint32x4_t *oldest = &lane->words[i % 4];
	uint32x4_t added = vaddq_u32(*oldest, vld1q_u32(constants + 4 * i));
	uint32x4_t abcd_now = lane->abcd;

	if (replace)
		*oldest = vsha256su1q_u32(vsha256su0q_u32(*oldest, lane->words[(i + 1) % 4]),
					  lane->words[(i + 2) % 4], lane->words[(i + 3) % 4]);
	lane->abcd = vsha256hq_u32(lane->abcd, lane->efgh, added);
	lane->efgh = vsha256h2q_u32(lane->efgh, abcd_now, added);
}

#endif

/* The one hash that is on its way beside something else. */
struct beside_lane {
	struct lane lane;
	struct lane before;
	const uint32_t *constants;
	const uint8_t *block;
	size_t blocks;
};

LANE_INLINE void beside_begin_block(struct beside_lane *at)
{
	at->before = at->lane;
	lane_begin_block(&at->lane, at->block);
	at->constants = SHA256_CONSTANTS;
}

/* Where there is a whole block. */
LANE_INLINE void beside_resume(struct beside_lane *at, const struct beside *beside)
{
	lane_load(&at->lane, beside->hash->state);
	at->block = beside->bytes;
	at->blocks = beside->size / SHA256_BLOCK;
	beside_begin_block(at);
}

/* As many words on: what `lane_rounds` was to replace is last. */
LANE_INLINE void lane_turn(struct lane *lane)
{
	struct lane was = *lane;

	_Pragma("GCC unroll 4") for (unsigned i = 0; i < 4; i++)
		lane->words[i] = was.words[(i + 1) % 4];
}

/*
 * A fifth of a block; false: with it the last one is hashed. Twelve rounds wait for one another about
 * as long as a match's symbols do.
 */
LANE_INLINE bool beside_step(struct beside_lane *at)
{
	_Pragma("GCC unroll 3") for (unsigned i = 0; i < 3; i++)
	{
		lane_rounds(&at->lane, 0, at->constants, true);
		lane_turn(&at->lane);
		at->constants += 4;
	}
	if (at->constants != SHA256_CONSTANTS + 60)
		return true;
	lane_rounds(&at->lane, 0, at->constants, false);
	lane_end_block(&at->lane, &at->before);
	at->block += SHA256_BLOCK;
	if (--at->blocks == 0)
		return false;
	beside_begin_block(at);
	return true;
}

/* Ends the block that was begun, and takes account of those that are hashed. */
LANE_INLINE void beside_pause(struct beside_lane *at, struct beside *beside)
{
	size_t left = at->blocks;

	while (at->blocks == left && left > 0)
		beside_step(at);
	lane_store(&at->lane, beside->hash->state);
	size_t hashed = (size_t)(at->block - beside->bytes);

	beside->hash->size += hashed;
	beside->bytes += hashed;
	beside->size -= hashed;
}

#endif
