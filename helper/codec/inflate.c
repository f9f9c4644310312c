#include "inflate.h"

#include "bytes.h"
#include "sha256_lane.h"

/*
 * Two ways through a block's symbols: the fast one where there is room on both sides for whatever
 * comes next, and the careful one, which takes the input by bytes and may stop at any bit. The
 * careful one holds at most 7 bits between symbols, so bytes after the stream are never taken.
 */

enum {
	LONGEST_MATCH = 258,
	/* What a round of the fast way may read, and write: see fast_symbols. */
	FAST_INPUT = 16,
	FAST_OUTPUT = LONGEST_MATCH + 32 + 8,
};

#define LENGTH(value, extra) ENTRY(0, value, extra)
#define LITERAL(value) ENTRY(ENTRY_LITERAL, value, 0)
#define LITERALS_4(value) LITERAL(value), LITERAL(value + 1), LITERAL(value + 2), LITERAL(value + 3)
#define LITERALS_16(value)                                                                         \
	LITERALS_4(value), LITERALS_4(value + 4), LITERALS_4(value + 8), LITERALS_4(value + 12)
#define LITERALS_64(value)                                                                         \
	LITERALS_16(value), LITERALS_16(value + 16), LITERALS_16(value + 32), LITERALS_16(value + 48)
#define UNUSED ENTRY(ENTRY_OTHER, 0, 0)

static const uint32_t LITERAL_ENTRIES[MAX_SYMBOLS] = {
	LITERALS_64(0),	 LITERALS_64(64), LITERALS_64(128), LITERALS_64(192),
	ENTRY(ENTRY_OTHER | ENTRY_END, 0, 0),
	LENGTH(3, 0),	 LENGTH(4, 0),	  LENGTH(5, 0),	    LENGTH(6, 0),
	LENGTH(7, 0),	 LENGTH(8, 0),	  LENGTH(9, 0),	    LENGTH(10, 0),
	LENGTH(11, 1),	 LENGTH(13, 1),	  LENGTH(15, 1),    LENGTH(17, 1),
	LENGTH(19, 2),	 LENGTH(23, 2),	  LENGTH(27, 2),    LENGTH(31, 2),
	LENGTH(35, 3),	 LENGTH(43, 3),	  LENGTH(51, 3),    LENGTH(59, 3),
	LENGTH(67, 4),	 LENGTH(83, 4),	  LENGTH(99, 4),    LENGTH(115, 4),
	LENGTH(131, 5),	 LENGTH(163, 5),  LENGTH(195, 5),   LENGTH(227, 5),
	LENGTH(258, 0),	 UNUSED,	  UNUSED,
};

static const uint32_t DISTANCE_ENTRIES[MAX_DISTANCES] = {
	LENGTH(1, 0),	   LENGTH(2, 0),      LENGTH(3, 0),	 LENGTH(4, 0),
	LENGTH(5, 1),	   LENGTH(7, 1),      LENGTH(9, 2),	 LENGTH(13, 2),
	LENGTH(17, 3),	   LENGTH(25, 3),     LENGTH(33, 4),	 LENGTH(49, 4),
	LENGTH(65, 5),	   LENGTH(97, 5),     LENGTH(129, 6),	 LENGTH(193, 6),
	LENGTH(257, 7),	   LENGTH(385, 7),    LENGTH(513, 8),	 LENGTH(769, 8),
	LENGTH(1025, 9),   LENGTH(1537, 9),   LENGTH(2049, 10),	 LENGTH(3073, 10),
	LENGTH(4097, 11),  LENGTH(6145, 11),  LENGTH(8193, 12),	 LENGTH(12289, 12),
	LENGTH(16385, 13), LENGTH(24577, 13), UNUSED,		 UNUSED,
};

static const uint32_t CODE_LENGTH_ENTRIES[CODE_LENGTHS] = {
	LENGTH(0, 0),  LENGTH(1, 0),  LENGTH(2, 0),  LENGTH(3, 0),  LENGTH(4, 0),
	LENGTH(5, 0),  LENGTH(6, 0),  LENGTH(7, 0),  LENGTH(8, 0),  LENGTH(9, 0),
	LENGTH(10, 0), LENGTH(11, 0), LENGTH(12, 0), LENGTH(13, 0), LENGTH(14, 0),
	LENGTH(15, 0), LENGTH(16, 2), LENGTH(17, 3), LENGTH(18, 7),
};

static const uint8_t CODE_LENGTH_ORDER[CODE_LENGTHS] = {
	16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
};

static uint32_t low_bits(uint64_t bits, unsigned count)
{
	return (uint32_t)(bits & ((1ULL << count) - 1));
}

static void drop(struct inflate *inflate, unsigned count)
{
	inflate->bits >>= count;
	inflate->bit_count -= count;
}

/* Makes sure of `count` bits. */
static bool need(struct inflate *inflate, struct span *span, unsigned count)
{
	while (inflate->bit_count < count) {
		if (span->in == span->in_end)
			return false;
		inflate->bits |= (uint64_t)*span->in++ << inflate->bit_count;
		inflate->bit_count += 8;
	}
	return true;
}

bool inflate_take(struct inflate *inflate, struct span *span, unsigned count, uint32_t *value)
{
	if (!need(inflate, span, count))
		return false;
	*value = low_bits(inflate->bits, count);
	drop(inflate, count);
	return true;
}

void inflate_align(struct inflate *inflate)
{
	drop(inflate, inflate->bit_count % 8);
}

void inflate_begin(struct inflate *inflate)
{
	inflate->bits = 0;
	inflate->bit_count = 0;
	inflate->state = IN_BLOCK_HEADER;
	inflate->last_block = false;
	inflate->has_static_tables = false;
}

/*
 * The entry of the next codeword, with all bits it takes present and none of them dropped; what a
 * link takes is in `skipped`.
 */
static bool next_entry(struct inflate *inflate, struct span *span, const uint32_t *table,
		       unsigned table_bits, uint32_t *found, unsigned *skipped)
{
	for (;;) {
		uint32_t entry = table[low_bits(inflate->bits, table_bits)];
		unsigned skip = 0;

		if (entry & ENTRY_LINK) {
			skip = table_bits;
			entry = table[entry_value(entry) +
				      low_bits(inflate->bits >> skip, entry_codeword(entry))];
		}
		/* Missing bits read as 0: only an entry whose codeword is all there is the right one. */
		if (skip + entry_codeword(entry) <= inflate->bit_count) {
			*found = entry;
			*skipped = skip;
			return need(inflate, span, skip + entry_bits(entry));
		}
		if (!need(inflate, span, inflate->bit_count + 1))
			return false;
	}
}

/* Drops an entry's bits, and gives its value with what its extra bits add. */
static uint32_t take_entry(struct inflate *inflate, uint32_t entry, unsigned skipped)
{
	unsigned codeword = skipped + entry_codeword(entry);
	unsigned all = skipped + entry_bits(entry);
	uint32_t value =
		entry_value(entry) + low_bits(inflate->bits >> codeword, all - codeword);

	drop(inflate, all);
	return value;
}

static enum decoded block_header(struct inflate *inflate, struct span *span)
{
	uint32_t header;

	if (!inflate_take(inflate, span, 3, &header))
		return DECODED_NEEDS_INPUT;
	inflate->last_block = header & 1;
	switch (header >> 1) {
	case 0:
		inflate_align(inflate);
		inflate->state = IN_STORED_LENGTH;
		return DECODED_END;
	case 1:
		if (!inflate->has_static_tables) {
			uint8_t *lengths = inflate->lengths;

			for (unsigned i = 0; i < MAX_SYMBOLS; i++)
				lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
			huffman_build(inflate->literal_table, LITERAL_BITS, LITERAL_ENTRIES, lengths,
				      MAX_SYMBOLS);
			for (unsigned i = 0; i < MAX_DISTANCES; i++)
				lengths[i] = 5;
			huffman_build(inflate->distance_table, DISTANCE_BITS, DISTANCE_ENTRIES,
				      lengths, MAX_DISTANCES);
			inflate->has_static_tables = true;
		}
		inflate->state = IN_SYMBOLS;
		return DECODED_END;
	case 2:
		inflate->state = IN_CODE_COUNTS;
		return DECODED_END;
	default:
		return DECODED_BAD_BLOCK_TYPE;
	}
}

static enum decoded stored_length(struct inflate *inflate, struct span *span)
{
	uint32_t lengths;

	if (!inflate_take(inflate, span, 32, &lengths))
		return DECODED_NEEDS_INPUT;
	inflate->length = lengths & 0xffff;
	if (inflate->length != (lengths >> 16 ^ 0xffff))
		return DECODED_BAD_STORED_LENGTH;
	inflate->state = IN_STORED;
	return DECODED_END;
}

static void end_block(struct inflate *inflate)
{
	inflate->state = inflate->last_block ? AFTER_LAST_BLOCK : IN_BLOCK_HEADER;
}

/* No bits are held here: the block begins at a byte, and its length took whole ones. */
static enum decoded stored(struct inflate *inflate, struct span *span)
{
	size_t size = inflate->length;

	if (size > (size_t)(span->in_end - span->in))
		size = (size_t)(span->in_end - span->in);
	if (size > (size_t)(span->out_end - span->out))
		size = (size_t)(span->out_end - span->out);
	copy_bytes(span->out, span->in, size);
	span->in += size;
	span->out += size;
	inflate->length -= (uint32_t)size;
	if (inflate->length == 0) {
		end_block(inflate);
		return DECODED_END;
	}
	return span->in == span->in_end ? DECODED_NEEDS_INPUT : DECODED_NEEDS_OUTPUT;
}

static enum decoded code_counts(struct inflate *inflate, struct span *span)
{
	uint32_t counts;

	if (!inflate_take(inflate, span, 14, &counts))
		return DECODED_NEEDS_INPUT;
	inflate->literal_count = 257 + (counts & 31);
	inflate->distance_count = 1 + (counts >> 5 & 31);
	inflate->code_length_count = 4 + (counts >> 10);
	if (inflate->literal_count > 286 || inflate->distance_count > 30)
		return DECODED_TOO_MANY_SYMBOLS;
	inflate->lengths_read = 0;
	for (unsigned i = 0; i < CODE_LENGTHS; i++)
		inflate->lengths[i] = 0;
	inflate->state = IN_CODE_LENGTH_LENGTHS;
	return DECODED_END;
}

static enum decoded code_length_lengths(struct inflate *inflate, struct span *span)
{
	unsigned used = 0;

	for (; inflate->lengths_read < inflate->code_length_count; inflate->lengths_read++) {
		uint32_t length;

		if (!inflate_take(inflate, span, 3, &length))
			return DECODED_NEEDS_INPUT;
		inflate->lengths[CODE_LENGTH_ORDER[inflate->lengths_read]] = (uint8_t)length;
	}
	for (unsigned i = 0; i < CODE_LENGTHS; i++)
		used += inflate->lengths[i] != 0;
	/* Unlike the others, this code must be complete: more than one symbol. */
	if (used < 2 || !huffman_build(inflate->code_length_table, CODE_LENGTH_BITS,
				       CODE_LENGTH_ENTRIES, inflate->lengths, CODE_LENGTHS))
		return DECODED_BAD_CODE_LENGTHS;
	inflate->lengths_read = 0;
	inflate->state = IN_CODE_LENGTHS;
	return DECODED_END;
}

/* Code length symbols 16 to 18: the one before again, or unused ones. */
static bool repeat_length(struct inflate *inflate, unsigned symbol, uint32_t times)
{
	uint8_t length = 0;

	if (symbol == 16) {
		if (inflate->lengths_read == 0)
			return false;
		length = inflate->lengths[inflate->lengths_read - 1];
	}
	if (inflate->lengths_read + times > inflate->literal_count + inflate->distance_count)
		return false;
	while (times-- > 0)
		inflate->lengths[inflate->lengths_read++] = length;
	return true;
}

static enum decoded code_lengths(struct inflate *inflate, struct span *span)
{
	while (inflate->lengths_read < inflate->literal_count + inflate->distance_count) {
		uint32_t entry;
		unsigned skipped;

		if (!next_entry(inflate, span, inflate->code_length_table, CODE_LENGTH_BITS, &entry,
				&skipped))
			return DECODED_NEEDS_INPUT;
		unsigned symbol = entry_value(entry);
		uint32_t extra = take_entry(inflate, entry, skipped) - symbol;

		if (symbol < 16)
			inflate->lengths[inflate->lengths_read++] = (uint8_t)symbol;
		else if (!repeat_length(inflate, symbol, extra + (symbol == 18 ? 11 : 3)))
			return DECODED_BAD_REPEAT;
	}
	if (inflate->lengths[256] == 0)
		return DECODED_NO_END_OF_BLOCK;
	inflate->has_static_tables = false;
	if (!huffman_build(inflate->literal_table, LITERAL_BITS, LITERAL_ENTRIES, inflate->lengths,
			   inflate->literal_count))
		return DECODED_BAD_LITERALS;
	if (!huffman_build(inflate->distance_table, DISTANCE_BITS, DISTANCE_ENTRIES,
			   inflate->lengths + inflate->literal_count, inflate->distance_count))
		return DECODED_BAD_DISTANCES;
	inflate->state = IN_SYMBOLS;
	return DECODED_END;
}

/* The best that the machine has for it: on x86-64, shifts by a register's value. */
#if defined(__x86_64__)
#define FAST_INSTRUCTIONS "bmi,bmi2," SHA256_INSTRUCTIONS
#else
#define FAST_INSTRUCTIONS SHA256_INSTRUCTIONS
#endif
#define FAST_INLINE __attribute__((target(FAST_INSTRUCTIONS), always_inline)) static inline

/* Copies a match where at least 32 bytes more than its length may be overwritten. */
static inline void copy_match(uint8_t *to, uint32_t length, uint32_t distance)
{
	const uint8_t *from = to - distance;
	uint8_t *end = to + length;

	if (distance >= 16) {
		copy16(to, from);
		copy16(to + 16, from + 16);
		for (to += 32, from += 32; to < end; to += 32, from += 32) {
			copy16(to, from);
			copy16(to + 16, from + 16);
		}
	} else if (distance == 1) {
		uint64_t word = 0x0101010101010101U * *from;

		do {
			store64(to, word);
			store64(to + 8, word);
			to += 16;
		} while (to < end);
	} else if (distance >= 8) {
		do {
			store64(to, load64(from));
			to += 8;
			from += 8;
		} while (to < end);
	} else {
		/* Each word written repeats the distance once; what it writes too much is written again. */
		do {
			store64(to, load64(from));
			to += distance;
			from += distance;
		} while (to < end);
	}
}

/*
 * Of `bit_count` only the low six bits count, which is all that the machine's shifts look at: what is
 * dropped is taken from it as it is, flags and value included.
 */
#define REFILL()                                                                                   \
	do {                                                                                       \
		bits |= load64(in) << (bit_count & 63);                                            \
		in += 7 - (bit_count >> 3 & 7);                                                    \
		bit_count |= 56;                                                                   \
	} while (0)
/* What `value_of` needs is kept. */
#define DROP(entry)                                                                                \
	do {                                                                                       \
		kept = bits;                                                                       \
		bits >>= (entry) & 63;                                                             \
		bit_count -= (entry);                                                              \
	} while (0)
#define NEXT_LITERAL() literal_table[low_bits(bits, LITERAL_BITS)]

/* A length or distance, with what its extra bits add, of the bits before it was dropped. */
FAST_INLINE uint32_t value_of(uint32_t entry, uint64_t kept)
{
	/* It has no flags, so these are its codeword's bits. */
	unsigned codeword = entry >> 8 & 31;

#if defined(__x86_64__)
	return entry_value(entry) + ((uint32_t)_bzhi_u64(kept, entry) >> codeword);
#else
	return entry_value(entry) + (low_bits(kept, entry_bits(entry)) >> codeword);
#endif
}

/*
 * Symbols while there are FAST_INPUT bytes of input and room for FAST_OUTPUT: a refill reads 8 bytes
 * and gives at least 56 bits, and a round needs two of them: for up to two literals, a length and
 * the first look at a distance (2 * 11 + 15 + 5 + 8 = 50 bits), and for the distance and the next
 * round's first look (15 + 13 + 11). Tables are looked at before the refill, so as not to wait for
 * it. A round writes up to two literals and a match, or three literals. Within it, above
 * `bit_count`, `bits` may hold what follows in the input.
 *
 * Each round also does a part of a block that is hashed beside it, until there is none: symbols, too,
 * wait for one another. `hashes` is a constant where this is inlined.
 */
FAST_INLINE enum decoded fast_symbols(struct inflate *inflate, struct span *span, bool hashes)
{
	const uint32_t *literal_table = inflate->literal_table;
	const uint32_t *distance_table = inflate->distance_table;
	const uint8_t *in = span->in;
	const uint8_t *in_limit = span->in_end - FAST_INPUT;
	uint8_t *out = span->out;
	uint8_t *out_limit = span->out_end - FAST_OUTPUT;
	uint64_t bits = inflate->bits;
	uint64_t kept;
	uint32_t bit_count = inflate->bit_count;
	enum decoded stopped = DECODED_END;
	struct beside_lane beside;

	if (hashes)
		beside_resume(&beside, span->beside);
	REFILL();
	uint32_t entry = NEXT_LITERAL();

	while (in <= in_limit && out <= out_limit) {
		if (hashes && !beside_step(&beside))
			break;
		DROP(entry);
		if (entry & ENTRY_LITERAL) {
			uint8_t literal = (uint8_t)entry_value(entry);

			entry = NEXT_LITERAL();
			DROP(entry);
			*out++ = literal;
			if (entry & ENTRY_LITERAL) {
				literal = (uint8_t)entry_value(entry);
				entry = NEXT_LITERAL();
				DROP(entry);
				*out++ = literal;
				if (entry & ENTRY_LITERAL) {
					*out++ = (uint8_t)entry_value(entry);
					entry = NEXT_LITERAL();
					REFILL();
					continue;
				}
			}
		}
		if (entry & ENTRY_OTHER) {
			if (entry & ENTRY_LINK) {
				entry = literal_table[entry_value(entry) +
						      low_bits(bits, entry_codeword(entry))];
				DROP(entry);
			}
			if (entry & ENTRY_LITERAL) {
				*out++ = (uint8_t)entry_value(entry);
				entry = NEXT_LITERAL();
				REFILL();
				continue;
			}
			if (entry & ENTRY_OTHER) {
				if (entry & ENTRY_END)
					end_block(inflate);
				else
					stopped = DECODED_BAD_LITERAL;
				break;
			}
		}
		uint32_t length = value_of(entry, kept);

		entry = distance_table[low_bits(bits, DISTANCE_BITS)];
		REFILL();
		if (entry & ENTRY_OTHER) {
			if (entry & ENTRY_LINK) {
				DROP(entry);
				entry = distance_table[entry_value(entry) +
						       low_bits(bits, entry_codeword(entry))];
			}
			if (entry & ENTRY_OTHER) {
				stopped = DECODED_BAD_DISTANCE;
				break;
			}
		}
		DROP(entry);
		uint32_t distance = value_of(entry, kept);

		if (distance > (size_t)(out - span->window)) {
			stopped = DECODED_TOO_FAR_BACK;
			break;
		}
		entry = NEXT_LITERAL();
		REFILL();
		copy_match(out, length, distance);
		out += length;
	}
	if (hashes)
		beside_pause(&beside, span->beside);
	bit_count &= 63;
	/* Whole bytes go back to the input, which holds them: at least as many as the first refill took. */
	in -= bit_count >> 3;
	bit_count &= 7;
	inflate->bits = low_bits(bits, bit_count);
	inflate->bit_count = bit_count;
	span->in = in;
	span->out = out;
	return stopped;
}

__attribute__((target(FAST_INSTRUCTIONS))) static enum decoded fast_way(struct inflate *inflate,
								   struct span *span)
{
	while (span->beside->hash != NULL && span->beside->size < SHA256_BLOCK)
		span->beside++;
	if (span->beside->hash != NULL)
		return fast_symbols(inflate, span, true);
	return fast_symbols(inflate, span, false);
}

static enum decoded careful_symbol(struct inflate *inflate, struct span *span)
{
	uint32_t entry;
	unsigned skipped;

	if (!next_entry(inflate, span, inflate->literal_table, LITERAL_BITS, &entry, &skipped))
		return DECODED_NEEDS_INPUT;
	if (entry & ENTRY_LITERAL) {
		if (span->out == span->out_end)
			return DECODED_NEEDS_OUTPUT;
		*span->out++ = (uint8_t)take_entry(inflate, entry, skipped);
		return DECODED_END;
	}
	if (entry & ENTRY_END) {
		take_entry(inflate, entry, skipped);
		end_block(inflate);
		return DECODED_END;
	}
	if (entry & ENTRY_OTHER)
		return DECODED_BAD_LITERAL;
	inflate->length = take_entry(inflate, entry, skipped);
	inflate->state = IN_MATCH_DISTANCE;
	return DECODED_END;
}

static enum decoded match_distance(struct inflate *inflate, struct span *span)
{
	uint32_t entry;
	unsigned skipped;

	if (!next_entry(inflate, span, inflate->distance_table, DISTANCE_BITS, &entry, &skipped))
		return DECODED_NEEDS_INPUT;
	if (entry & ENTRY_OTHER)
		return DECODED_BAD_DISTANCE;
	inflate->distance = take_entry(inflate, entry, skipped);
	if (inflate->distance > (size_t)(span->out - span->window))
		return DECODED_TOO_FAR_BACK;
	inflate->state = IN_MATCH;
	return DECODED_END;
}

static enum decoded match(struct inflate *inflate, struct span *span)
{
	while (inflate->length > 0) {
		if (span->out == span->out_end)
			return DECODED_NEEDS_OUTPUT;
		*span->out = *(span->out - inflate->distance);
		span->out++;
		inflate->length--;
	}
	inflate->state = IN_SYMBOLS;
	return DECODED_END;
}

/* DECODED_END: what the state stands for is done, and there is another, or none after the last. */
static enum decoded step(struct inflate *inflate, struct span *span)
{
	switch (inflate->state) {
	case IN_BLOCK_HEADER:
		return block_header(inflate, span);
	case IN_STORED_LENGTH:
		return stored_length(inflate, span);
	case IN_STORED:
		return stored(inflate, span);
	case IN_CODE_COUNTS:
		return code_counts(inflate, span);
	case IN_CODE_LENGTH_LENGTHS:
		return code_length_lengths(inflate, span);
	case IN_CODE_LENGTHS:
		return code_lengths(inflate, span);
	case IN_SYMBOLS:
		/* Its first refill takes up to 7 bytes, after which there must be input for a round. */
		if (span->in_end - span->in >= FAST_INPUT + 7 &&
		    span->out_end - span->out >= FAST_OUTPUT)
			return fast_way(inflate, span);
		return careful_symbol(inflate, span);
	case IN_MATCH_DISTANCE:
		return match_distance(inflate, span);
	default:
		return match(inflate, span);
	}
}

enum decoded inflate_run(struct inflate *inflate, struct span *span)
{
	while (inflate->state != AFTER_LAST_BLOCK) {
		enum decoded stopped = step(inflate, span);

		if (stopped != DECODED_END)
			return stopped;
	}
	return DECODED_END;
}
