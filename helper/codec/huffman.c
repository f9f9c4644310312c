#include "huffman.h"

/* Symbols by the length of their codeword, then by number: the order codewords are counted in. */
struct order {
	uint16_t count[MAX_CODEWORD + 1];
	uint16_t symbol[MAX_SYMBOLS];
};

static void sort_symbols(struct order *order, const uint8_t *lengths, size_t symbols)
{
	uint16_t next[MAX_CODEWORD + 2];

	for (unsigned length = 0; length <= MAX_CODEWORD; length++)
		order->count[length] = 0;
	for (size_t i = 0; i < symbols; i++)
		order->count[lengths[i]]++;
	next[1] = 0;
	for (unsigned length = 1; length <= MAX_CODEWORD; length++)
		next[length + 1] = (uint16_t)(next[length] + order->count[length]);
	for (size_t i = 0; i < symbols; i++) {
		if (lengths[i] != 0)
			order->symbol[next[lengths[i]]++] = (uint16_t)i;
	}
}

/* What is left of all codewords of 15 bits; negative: more are used than there are. */
static int32_t unused_codewords(const struct order *order)
{
	int32_t left = 1;

	for (unsigned length = 1; length <= MAX_CODEWORD; length++) {
		left = (left << 1) - order->count[length];
		if (left < 0)
			return left;
	}
	return left;
}

/* The next codeword of the same length; codewords are in the order their bits arrive, first lowest. */
static uint32_t next_codeword(uint32_t codeword, unsigned length)
{
	uint32_t bit = 1U << (length - 1);

	while (codeword & bit)
		bit >>= 1;
	return bit == 0 ? 0 : (codeword & (bit - 1)) | bit;
}

static uint32_t with_codeword(uint32_t entry, unsigned bits)
{
	return entry + (bits << 8) + bits;
}

/* The bits that index what lies behind a link: as many as the rest of its codewords needs. */
static unsigned link_bits(const struct order *order, unsigned length, unsigned remaining,
			  unsigned table_bits)
{
	unsigned bits = length - table_bits;
	uint32_t used = remaining;

	while (used < (1U << bits) && table_bits + bits < MAX_CODEWORD) {
		bits++;
		used = (used << 1) + order->count[table_bits + bits];
	}
	return bits;
}

bool huffman_build(uint32_t *table, unsigned table_bits, const uint32_t *entries,
		   const uint8_t *lengths, size_t symbols)
{
	struct order order;
	const uint16_t *symbol = order.symbol;
	uint32_t codeword = 0;
	uint32_t size = 1;
	uint32_t end = 1U << table_bits;
	uint32_t link_prefix = UINT32_MAX;
	uint32_t link_start = 0;
	unsigned link_width = 0;

	sort_symbols(&order, lengths, symbols);
	int32_t unused = unused_codewords(&order);
	uint32_t used = (uint32_t)symbols - order.count[0];

	if (unused < 0 || (unused > 0 && (used > 1 || order.count[1] != used)))
		return false;
	if (unused > 0) {
		for (uint32_t i = 0; i < end; i++)
			table[i] = INVALID_ENTRY;
		if (used == 1) {
			for (uint32_t i = 0; i < end; i += 2)
				table[i] = with_codeword(entries[*symbol], 1);
		}
		return true;
	}

	/* The table of n bits twice is the table of n + 1 bits, but for the codewords of n + 1. */
	for (unsigned length = 1; length <= table_bits; length++) {
		for (uint32_t i = 0; i < size; i++)
			table[size + i] = table[i];
		size <<= 1;
		for (unsigned left = order.count[length]; left > 0; left--) {
			table[codeword] = with_codeword(entries[*symbol++], length);
			codeword = next_codeword(codeword, length);
		}
	}
	for (unsigned length = table_bits + 1; length <= MAX_CODEWORD; length++) {
		for (unsigned left = order.count[length]; left > 0; left--) {
			uint32_t prefix = codeword & ((1U << table_bits) - 1);
			unsigned rest = length - table_bits;

			if (prefix != link_prefix) {
				link_prefix = prefix;
				link_start = end;
				link_width = link_bits(&order, length, left, table_bits);
				end += 1U << link_width;
				table[prefix] = ENTRY(ENTRY_OTHER | ENTRY_LINK, link_start, 0) |
						(link_width << 8) | table_bits;
			}
			for (uint32_t i = codeword >> table_bits; i < (1U << link_width);
			     i += 1U << rest)
				table[link_start + i] = with_codeword(entries[*symbol], rest);
			symbol++;
			codeword = next_codeword(codeword, length);
		}
	}
	return true;
}
