#include "gunzip.h"

#include "bytes.h"
#include "crc32.h"

enum state {
	AT_MAGIC,
	AT_METHOD,
	AT_TIME,
	AT_SYSTEM,
	AT_EXTRA_LENGTH,
	AT_EXTRA,
	AT_NAME,
	AT_COMMENT,
	AT_HEADER_CHECK,
	AT_BODY,
	AT_CHECK,
	AT_SIZE,
};

enum {
	MAGIC = 0x8b1f,
	METHOD_DEFLATE = 8,
	FLAG_HEADER_CHECK = 1 << 1,
	FLAG_EXTRA = 1 << 2,
	FLAG_NAME = 1 << 3,
	FLAG_COMMENT = 1 << 4,
	FLAGS_RESERVED = 0xe0,
};

void gunzip_begin(struct gunzip *gunzip)
{
	gunzip->taken = 0;
	gunzip->given = 0;
	gunzip->may_end = 0;
	gunzip->state = AT_MAGIC;
	gunzip->members = 0;
	gunzip->window_size = 0;
	inflate_begin(&gunzip->inflate);
}

/* Skips a text and its NUL. */
static bool skip_text(struct span *span)
{
	while (span->in < span->in_end) {
		if (*span->in++ == 0)
			return true;
	}
	return false;
}

/* The header up to its own check. */
static enum decoded header_fields(struct gunzip *gunzip, struct span *span)
{
	struct inflate *bits = &gunzip->inflate;
	uint32_t value;

	switch (gunzip->state) {
	case AT_MAGIC:
		if (!inflate_take(bits, span, 16, &value))
			return DECODED_NEEDS_INPUT;
		if (value != MAGIC)
			return gunzip->members > 0 ? DECODED_TRAILING : DECODED_BAD_HEADER;
		gunzip->state = AT_METHOD;
		/* fall through */
	case AT_METHOD:
		if (!inflate_take(bits, span, 16, &value))
			return DECODED_NEEDS_INPUT;
		if ((value & 0xff) != METHOD_DEFLATE)
			return DECODED_BAD_METHOD;
		gunzip->flags = value >> 8;
		if (gunzip->flags & FLAGS_RESERVED)
			return DECODED_BAD_FLAGS;
		gunzip->state = AT_TIME;
		/* fall through */
	case AT_TIME:
		if (!inflate_take(bits, span, 32, &value))
			return DECODED_NEEDS_INPUT;
		gunzip->state = AT_SYSTEM;
		/* fall through */
	case AT_SYSTEM:
		if (!inflate_take(bits, span, 16, &value))
			return DECODED_NEEDS_INPUT;
		gunzip->state = AT_EXTRA_LENGTH;
		/* fall through */
	case AT_EXTRA_LENGTH:
		gunzip->extra_left = 0;
		if (gunzip->flags & FLAG_EXTRA &&
		    !inflate_take(bits, span, 16, &gunzip->extra_left))
			return DECODED_NEEDS_INPUT;
		gunzip->state = AT_EXTRA;
		/* fall through */
	case AT_EXTRA: {
		size_t left = (size_t)(span->in_end - span->in);
		uint32_t skipped =
			gunzip->extra_left < left ? gunzip->extra_left : (uint32_t)left;

		span->in += skipped;
		gunzip->extra_left -= skipped;
		if (gunzip->extra_left > 0)
			return DECODED_NEEDS_INPUT;
		gunzip->state = AT_NAME;
	}
		/* fall through */
	case AT_NAME:
		if (gunzip->flags & FLAG_NAME && !skip_text(span))
			return DECODED_NEEDS_INPUT;
		gunzip->state = AT_COMMENT;
		/* fall through */
	default:
		if (gunzip->flags & FLAG_COMMENT && !skip_text(span))
			return DECODED_NEEDS_INPUT;
		gunzip->state = AT_HEADER_CHECK;
		return DECODED_END;
	}
}

static enum decoded header(struct gunzip *gunzip, struct span *span)
{
	const uint8_t *start = span->in;

	if (gunzip->state == AT_MAGIC && gunzip->inflate.bit_count == 0)
		gunzip->check = 0;
	enum decoded stopped = header_fields(gunzip, span);

	gunzip->check = crc32(gunzip->check, start, (size_t)(span->in - start));
	return stopped;
}

static enum decoded header_check(struct gunzip *gunzip, struct span *span)
{
	uint32_t check;

	if (gunzip->flags & FLAG_HEADER_CHECK) {
		if (!inflate_take(&gunzip->inflate, span, 16, &check))
			return DECODED_NEEDS_INPUT;
		if (check != (gunzip->check & 0xffff))
			return DECODED_BAD_HEADER_CHECK;
	}
	inflate_begin(&gunzip->inflate);
	gunzip->check = 0;
	gunzip->size = 0;
	/* A member's matches reach no further back than its own beginning. */
	span->window = span->out;
	gunzip->state = AT_BODY;
	return DECODED_END;
}

static enum decoded body(struct gunzip *gunzip, struct span *span)
{
	const uint8_t *start = span->out;
	enum decoded stopped = inflate_run(&gunzip->inflate, span);
	size_t size = (size_t)(span->out - start);

	gunzip->check = crc32(gunzip->check, start, size);
	gunzip->size += (uint32_t)size;
	if (stopped == DECODED_END) {
		inflate_align(&gunzip->inflate);
		gunzip->state = AT_CHECK;
	}
	return stopped;
}

static enum decoded trailer(struct gunzip *gunzip, struct span *span)
{
	uint32_t value;

	if (!inflate_take(&gunzip->inflate, span, 32, &value))
		return DECODED_NEEDS_INPUT;
	if (gunzip->state == AT_CHECK) {
		if (value != gunzip->check)
			return DECODED_BAD_CHECK;
		gunzip->state = AT_SIZE;
		return DECODED_END;
	}
	if (value != gunzip->size)
		return DECODED_BAD_LENGTH;
	gunzip->members++;
	gunzip->state = AT_MAGIC;
	return DECODED_END;
}

static enum decoded step(struct gunzip *gunzip, struct span *span)
{
	switch (gunzip->state) {
	case AT_HEADER_CHECK:
		return header_check(gunzip, span);
	case AT_BODY:
		return body(gunzip, span);
	case AT_CHECK:
	case AT_SIZE:
		return trailer(gunzip, span);
	default:
		return header(gunzip, span);
	}
}

/* Keeps the end of what this member has decoded to, for the next call. */
static void keep_window(struct gunzip *gunzip, const struct span *span)
{
	size_t size = (size_t)(span->out - span->window);

	if (size > WINDOW)
		size = WINDOW;
	copy_bytes(gunzip->window, span->out - size, size);
	gunzip->window_size = (uint32_t)size;
}

uint32_t gunzip_run(struct gunzip *gunzip, const uint8_t *in, size_t in_size, uint8_t *buffer,
		    size_t buffer_size, struct beside *beside)
{
	uint8_t *out = buffer + WINDOW;
	struct span span = {
		.in = in,
		.in_end = in + in_size,
		.window = out - gunzip->window_size,
		.out = out,
		.out_end = buffer + buffer_size,
		.beside = beside,
	};
	enum decoded stopped = DECODED_END;

	copy_bytes(out - gunzip->window_size, gunzip->window, gunzip->window_size);
	while (stopped == DECODED_END)
		stopped = step(gunzip, &span);
	keep_window(gunzip, &span);
	gunzip->taken = (uint64_t)(span.in - in);
	gunzip->given = (uint64_t)(span.out - out);
	gunzip->may_end = gunzip->members > 0 && gunzip->state == AT_MAGIC &&
			  gunzip->inflate.bit_count == 0;
	return stopped;
}
