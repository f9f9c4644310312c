/* Decodes DEFLATE (RFC 1951) as it arrives. */
#ifndef INFLATE_H
#define INFLATE_H

#include "huffman.h"
#include "sha256.h"

enum {
	/* How far back a match reaches. */
	WINDOW = 32768,
	LITERAL_BITS = 11,
	DISTANCE_BITS = 8,
	CODE_LENGTH_BITS = 7,
	MAX_DISTANCES = 32,
	CODE_LENGTHS = 19,
};

/* What stopped a decoder; src/archive/decoder_ahead.ts has words for the errors, in this order. */
enum decoded {
	DECODED_NEEDS_INPUT,
	DECODED_NEEDS_OUTPUT,
	DECODED_END,
	/* From here on: what is malformed; the first is bytes after a member that begin no other. */
	DECODED_TRAILING,
	DECODED_BAD_HEADER,
	DECODED_BAD_METHOD,
	DECODED_BAD_FLAGS,
	DECODED_BAD_HEADER_CHECK,
	DECODED_BAD_BLOCK_TYPE,
	DECODED_BAD_STORED_LENGTH,
	DECODED_TOO_MANY_SYMBOLS,
	DECODED_BAD_CODE_LENGTHS,
	DECODED_BAD_REPEAT,
	DECODED_NO_END_OF_BLOCK,
	DECODED_BAD_LITERALS,
	DECODED_BAD_DISTANCES,
	DECODED_BAD_LITERAL,
	DECODED_BAD_DISTANCE,
	DECODED_TOO_FAR_BACK,
	DECODED_BAD_CHECK,
	DECODED_BAD_LENGTH,
};

enum inflate_state {
	IN_BLOCK_HEADER,
	IN_STORED_LENGTH,
	IN_STORED,
	IN_CODE_COUNTS,
	IN_CODE_LENGTH_LENGTHS,
	IN_CODE_LENGTHS,
	IN_SYMBOLS,
	IN_MATCH_DISTANCE,
	IN_MATCH,
	AFTER_LAST_BLOCK,
};

struct inflate {
	/* Bits taken from the input and not yet used, the first lowest; all above `bit_count` are 0. */
	uint64_t bits;
	uint32_t bit_count;
	uint32_t state; /* enum inflate_state */
	bool last_block;
	bool has_static_tables;
	/* Of a stored block or a match: bytes still to come. */
	uint32_t length;
	uint32_t distance;
	/* Of a dynamic block's header. */
	uint32_t literal_count;
	uint32_t distance_count;
	uint32_t code_length_count;
	uint32_t lengths_read;
	uint8_t lengths[MAX_SYMBOLS + MAX_DISTANCES];
	/* The sizes are the most that such codes can need, by trying all of them (zlib's "enough"). */
	uint32_t literal_table[2342];
	uint32_t distance_table[402];
	uint32_t code_length_table[1 << CODE_LENGTH_BITS];
};

/*
 * Where a call reads and writes. What was decoded before stands right before `out`, from `window`
 * on: as much as a match may reach, or all there is.
 */
struct span {
	const uint8_t *in;
	const uint8_t *in_end;
	const uint8_t *window;
	uint8_t *out;
	uint8_t *out_end;
	/* What to hash meanwhile; the last has no hash. */
	struct beside *beside;
};

void inflate_begin(struct inflate *inflate);

/*
 * Decodes until input or output are used up, at DECODED_END after the last block, or at what is
 * malformed. Moves `in` and `out`; what lies between `out` and `out_end` may be overwritten.
 */
enum decoded inflate_run(struct inflate *inflate, struct span *span);

/* For what follows the last block: whole bytes, in the same stream of bits. */
void inflate_align(struct inflate *inflate);
/* Takes `count` bits, at most 32; false: the input is used up before. */
bool inflate_take(struct inflate *inflate, struct span *span, unsigned count, uint32_t *value);

#endif
