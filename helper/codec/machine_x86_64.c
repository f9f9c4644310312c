#include "bytes.h"
#include "crc32.h"
#include "machine.h"
#include "sha256.h"

#include <cpuid.h>
#include <immintrin.h>

bool machine_suffices(void)
{
	const unsigned first = bit_PCLMUL | bit_SSSE3 | bit_SSE4_1;
	const unsigned seventh = bit_SHA | bit_BMI | bit_BMI2;
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & first) != first)
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & seventh) == seventh;
}

#define TARGET_SHA __attribute__((target("sha,ssse3,sse4.1")))
#define TARGET_SHA_INLINE __attribute__((target("sha,ssse3,sse4.1"), always_inline)) static inline

/* A hash on its way through blocks. */
struct lane {
	/* As the instructions want them: a, b, e, f in one register and c, d, g, h in the other. */
	__m128i abef;
	__m128i cdgh;
	/* The last sixteen words of the message. */
	__m128i words[4];
};

#define LANES _Pragma("GCC unroll 2") for (unsigned lane = 0; lane < lanes; lane++)

TARGET_SHA_INLINE void load_state(struct lane *hash, const uint32_t *state)
{
	const __m128i *halves = (const __m128i *)state;
	__m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(halves), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(halves + 1), 0x1b);

	hash->abef = _mm_alignr_epi8(badc, hgfe, 8);
	hash->cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
}

TARGET_SHA_INLINE void store_state(const struct lane *hash, uint32_t *state)
{
	__m128i *halves = (__m128i *)state;
	__m128i feba = _mm_shuffle_epi32(hash->abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(hash->cdgh, 0xb1);

	_mm_storeu_si128(halves, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128(halves + 1, _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds: with four words, which are replaced by those four times on where they are needed. */
TARGET_SHA_INLINE void rounds(struct lane *hash, unsigned i)
{
	__m128i *w0 = &hash->words[i % 4];
	__m128i w1 = hash->words[(i + 1) % 4];
	__m128i w2 = hash->words[(i + 2) % 4];
	__m128i w3 = hash->words[(i + 3) % 4];
	__m128i added = _mm_add_epi32(
		*w0, _mm_loadu_si128((const __m128i *)&SHA256_CONSTANTS[4 * i]));

	hash->cdgh = _mm_sha256rnds2_epu32(hash->cdgh, hash->abef, added);
	hash->abef = _mm_sha256rnds2_epu32(hash->abef, hash->cdgh, _mm_shuffle_epi32(added, 0x0e));
	if (i < 12)
		*w0 = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*w0, w1),
							 _mm_alignr_epi8(w3, w2, 4)),
					   w3);
}

/* Hashes blocks of one message, or of two in turn; `lanes` is a constant where this is inlined. */
TARGET_SHA_INLINE void hash_blocks(unsigned lanes, uint32_t *const *state,
				   const uint8_t *const *bytes, size_t count)
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	struct lane hash[2];

	LANES load_state(&hash[lane], state[lane]);
	for (size_t at = 0; at < count; at++) {
		struct lane before[2];

		LANES {
			const __m128i *block = (const __m128i *)(bytes[lane] + at * SHA256_BLOCK);

			before[lane] = hash[lane];
			_Pragma("GCC unroll 4") for (unsigned i = 0; i < 4; i++)
				hash[lane].words[i] =
					_mm_shuffle_epi8(_mm_loadu_si128(block + i), big_endian);
		}
		_Pragma("GCC unroll 16") for (unsigned i = 0; i < 16; i++)
			LANES rounds(&hash[lane], i);
		LANES {
			hash[lane].abef = _mm_add_epi32(hash[lane].abef, before[lane].abef);
			hash[lane].cdgh = _mm_add_epi32(hash[lane].cdgh, before[lane].cdgh);
		}
	}
	LANES store_state(&hash[lane], state[lane]);
}

TARGET_SHA void sha256_blocks(uint32_t *state, const uint8_t *bytes, size_t count)
{
	hash_blocks(1, &state, &bytes, count);
}

TARGET_SHA void sha256_blocks_two(uint32_t *state, const uint8_t *bytes, uint32_t *other,
				  const uint8_t *other_bytes, size_t count)
{
	uint32_t *const states[] = { state, other };
	const uint8_t *const both[] = { bytes, other_bytes };

	hash_blocks(2, states, both, count);
}

/* One table of a nibble's checks suffices for the few bytes that no vector holds. */
static uint32_t crc32_bytes(uint32_t crc, const uint8_t *bytes, size_t size)
{
	static const uint32_t NIBBLE[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (; size > 0; size--) {
		crc ^= *bytes++;
		crc = crc >> 4 ^ NIBBLE[crc & 15];
		crc = crc >> 4 ^ NIBBLE[crc & 15];
	}
	return crc;
}

/* What `remainder` is `distance` further on, by the powers of x for its halves. */
#define FOLD(remainder, powers)                                                                    \
	_mm_xor_si128(_mm_clmulepi64_si128(remainder, powers, 0x00),                               \
		      _mm_clmulepi64_si128(remainder, powers, 0x11))

/*
 * Folds 64 bytes at a time, then 16, then reduces 128 bits to 32 (V. Gopal and others, "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, whose constants
 * these are). `size` is at least 64 and a multiple of 16.
 */
__attribute__((target("pclmul,sse4.1"))) static uint32_t
crc32_vectors(uint32_t crc, const uint8_t *bytes, size_t size)
{
	const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
	const __m128i by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
	const __m128i by_8 = _mm_set_epi64x(0, 0x0163cd6124);
	const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
	const __m128i low_32 = _mm_set_epi32(0, 0, 0, -1);
	const __m128i *at = (const __m128i *)bytes;
	__m128i r0 = _mm_xor_si128(_mm_loadu_si128(at), _mm_cvtsi32_si128((int)crc));
	__m128i r1 = _mm_loadu_si128(at + 1);
	__m128i r2 = _mm_loadu_si128(at + 2);
	__m128i r3 = _mm_loadu_si128(at + 3);

	for (at += 4, size -= 64; size >= 64; at += 4, size -= 64) {
		r0 = _mm_xor_si128(FOLD(r0, by_64), _mm_loadu_si128(at));
		r1 = _mm_xor_si128(FOLD(r1, by_64), _mm_loadu_si128(at + 1));
		r2 = _mm_xor_si128(FOLD(r2, by_64), _mm_loadu_si128(at + 2));
		r3 = _mm_xor_si128(FOLD(r3, by_64), _mm_loadu_si128(at + 3));
	}
	r1 = _mm_xor_si128(FOLD(r0, by_16), r1);
	r2 = _mm_xor_si128(FOLD(r1, by_16), r2);
	r3 = _mm_xor_si128(FOLD(r2, by_16), r3);
	for (; size >= 16; at++, size -= 16)
		r3 = _mm_xor_si128(FOLD(r3, by_16), _mm_loadu_si128(at));

	/* 128 bits to 96, to 64, to 32. */
	r3 = _mm_xor_si128(_mm_clmulepi64_si128(r3, by_16, 0x10), _mm_srli_si128(r3, 8));
	r3 = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(r3, low_32), by_8, 0x00),
			   _mm_srli_si128(r3, 4));
	r0 = _mm_clmulepi64_si128(_mm_and_si128(r3, low_32), barrett, 0x10);
	r0 = _mm_clmulepi64_si128(_mm_and_si128(r0, low_32), barrett, 0x00);
	return (uint32_t)_mm_extract_epi32(_mm_xor_si128(r3, r0), 1);
}

uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
	size_t vectors = size >= 64 ? size & ~(size_t)15 : 0;

	crc = ~crc;
	if (vectors > 0)
		crc = crc32_vectors(crc, bytes, vectors);
	return ~crc32_bytes(crc, bytes + vectors, size - vectors);
}
