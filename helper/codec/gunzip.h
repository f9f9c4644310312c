/* Decodes gzip (RFC 1952), one member after the other, as it arrives. */
#ifndef GUNZIP_H
#define GUNZIP_H

#include "inflate.h"

struct gunzip {
	/* What the last call took and gave, in bytes. */
	uint64_t taken;
	uint64_t given;
	/* Where the stream may end: between members, after at least one. */
	uint32_t may_end;
	uint32_t state;
	uint32_t members;
	uint32_t flags;
	uint32_t check;
	/* Bytes of this member, modulo 2^32. */
	uint32_t size;
	uint32_t extra_left;
	/* The end of what this member has decoded to. */
	uint32_t window_size;
	struct inflate inflate;
	uint8_t window[WINDOW];
};

/* Hidden, so that their addresses are taken without a table that would need relocating. */
#pragma GCC visibility push(hidden)

void gunzip_begin(struct gunzip *gunzip);

/*
 * Decodes until the input is used up or the output full, or gives what is malformed. The output
 * is what of `buffer` follows its first WINDOW bytes, which are overwritten. Meanwhile some of what
 * is `beside` is hashed, in this order; the last has no hash.
 */
uint32_t gunzip_run(struct gunzip *gunzip, const uint8_t *in, size_t in_size, uint8_t *buffer,
		    size_t buffer_size, struct beside *beside);

#pragma GCC visibility pop

#endif
