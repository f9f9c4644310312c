#include "bytes.h"
#include "crc32.h"
#include "machine.h"

#include <cpuid.h>
#include <immintrin.h>

/* Also has AVX2 and carry-less multiplications of its vectors. */
static bool has_wide_vectors;

static bool system_keeps_wide_vectors(void)
{
	const unsigned sse_and_avx = 6;
	unsigned low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & sse_and_avx) == sse_and_avx;
}

bool machine_suffices(void)
{
	const unsigned first = bit_PCLMUL | bit_SSSE3 | bit_SSE4_1;
	const unsigned seventh = bit_SHA | bit_BMI | bit_BMI2;
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & first) != first)
		return false;
	bool may_ask = c & bit_OSXSAVE;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & seventh) != seventh)
		return false;
	has_wide_vectors = may_ask && system_keeps_wide_vectors() && b & bit_AVX2 &&
			   c & bit_VPCLMULQDQ;
	return true;
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

#define FOLD_WIDE(remainder, powers)                                                               \
	_mm256_xor_si256(_mm256_clmulepi64_epi128(remainder, powers, 0x00),                        \
			 _mm256_clmulepi64_epi128(remainder, powers, 0x11))

/*
 * Folds 128 bytes at a time, and the last of them to the remainders of 64; gives how many bytes that
 * took. `size` is at least 128.
 */
__attribute__((target("vpclmulqdq,avx2"))) static size_t fold_wide(__m128i *remainders, uint32_t crc,
								   const uint8_t *bytes, size_t size)
{
	const __m256i by_128 = _mm256_broadcastsi128_si256(
		_mm_set_epi64x(0x014a7fe880, 0x01e88ef372));
	const __m256i by_64 = _mm256_broadcastsi128_si256(
		_mm_set_epi64x(0x01c6e41596, 0x0154442bd4));
	const __m256i *at = (const __m256i *)bytes;
	__m256i r0 = _mm256_xor_si256(_mm256_loadu_si256(at),
				      _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)crc)));
	__m256i r1 = _mm256_loadu_si256(at + 1);
	__m256i r2 = _mm256_loadu_si256(at + 2);
	__m256i r3 = _mm256_loadu_si256(at + 3);

	for (at += 4, size -= 128; size >= 128; at += 4, size -= 128) {
		r0 = _mm256_xor_si256(FOLD_WIDE(r0, by_128), _mm256_loadu_si256(at));
		r1 = _mm256_xor_si256(FOLD_WIDE(r1, by_128), _mm256_loadu_si256(at + 1));
		r2 = _mm256_xor_si256(FOLD_WIDE(r2, by_128), _mm256_loadu_si256(at + 2));
		r3 = _mm256_xor_si256(FOLD_WIDE(r3, by_128), _mm256_loadu_si256(at + 3));
	}
	_mm256_storeu_si256((__m256i *)remainders, _mm256_xor_si256(FOLD_WIDE(r0, by_64), r2));
	_mm256_storeu_si256((__m256i *)remainders + 1, _mm256_xor_si256(FOLD_WIDE(r1, by_64), r3));
	return (size_t)((const uint8_t *)at - bytes);
}

/*
 * Folds 64 bytes at a time, then 16, then reduces 128 bits to 32 (V. Gopal and others, "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, whose constants
 * these are; that of 128 bytes is by the same rule). `size` is at least 64 and a multiple of 16.
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
	__m128i r0, r1, r2, r3;

	if (has_wide_vectors && size >= 128) {
		__m128i remainders[4];
		size_t folded = fold_wide(remainders, crc, bytes, size);

		r0 = remainders[0];
		r1 = remainders[1];
		r2 = remainders[2];
		r3 = remainders[3];
		at = (const __m128i *)(bytes + folded);
		size -= folded;
	} else {
		r0 = _mm_xor_si128(_mm_loadu_si128(at), _mm_cvtsi32_si128((int)crc));
		r1 = _mm_loadu_si128(at + 1);
		r2 = _mm_loadu_si128(at + 2);
		r3 = _mm_loadu_si128(at + 3);
		at += 4;
		size -= 64;
	}
	for (; size >= 64; at += 4, size -= 64) {
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
