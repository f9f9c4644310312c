#include "decoder.h"

#include "../system.h"
#include "bytes.h"
#include "file_ops.h"

/* Tells the other side that something has changed. */
static void notify(struct side *side)
{
	atomic_fetch_add(&side->changes, 1);
	if (atomic_load(&side->sleepers) > 0)
		sys_futex_wake((uint32_t *)&side->changes);
}

/* Sleeps unless there has been a change since `changes` was read. */
static void sleep_since(struct side *side, uint32_t changes)
{
	atomic_fetch_add(&side->sleepers, 1);
	sys_futex_wait((uint32_t *)&side->changes, changes);
	atomic_fetch_sub(&side->sleepers, 1);
}

void decoder_begin(struct decoder *decoder, struct owner *owner, bool has_thread)
{
	decoder->owner = owner;
	decoder->next = owner->first;
	owner->first = decoder;
	atomic_fetch_add(&owner->decoders, 1);
	decoder->wanted = 0;
	for (uint32_t i = 0; i < DECODER_SLOTS; i++)
		decoder->output_at[i] = (uint32_t)(decoder->output[i] + WINDOW - (uint8_t *)decoder);
	decoder->has_thread = has_thread;
	decoder->malformed = 0;
	decoder->incomplete = 0;
	atomic_init(&decoder->thread.changes, 0);
	atomic_init(&decoder->thread.sleepers, 0);
	atomic_init(&decoder->stopped, 0);
	atomic_init(&decoder->dropped, 0);
	atomic_init(&decoder->closed, 0);
	atomic_init(&decoder->ended, 0);
	atomic_init(&decoder->given, 0);
	atomic_init(&decoder->decoded, 0);
	atomic_init(&decoder->digested, 0);
	atomic_init(&decoder->made, 0);
	atomic_init(&decoder->hashed, 0);
	atomic_init(&decoder->released, 0);
	atomic_init(&decoder->written, 0);
	atomic_init(&decoder->hashing, 0);
	atomic_init(&decoder->writing, 0);
	atomic_init(&decoder->failed_call, CALL_NONE);
	decoder->has_more = false;
	sha256_begin(&decoder->blob_hash);
	sha256_begin(&decoder->tar_hash);
	gunzip_begin(&decoder->gunzip);
}

static bool has_free_slot(struct decoder *decoder)
{
	uint32_t made = atomic_load(&decoder->made);

	return made - atomic_load(&decoder->hashed) < DECODER_SLOTS &&
	       made - atomic_load(&decoder->written) < DECODER_SLOTS;
}

/* Hashes a part of the tar, with the blob up to what it was decoded from. */
static void hash_both(struct decoder *decoder, uint64_t blob_end, const uint8_t *tar, size_t tar_size)
{
	uint64_t digested = atomic_load(&decoder->digested);

	while (digested < blob_end) {
		uint64_t at = digested % DECODER_INPUT;
		uint64_t size = blob_end - digested;

		if (size > DECODER_INPUT - at)
			size = DECODER_INPUT - at;
		size_t part = tar_size < size ? tar_size : size;

		sha256_update_two(&decoder->blob_hash, decoder->input + at, size,
				  &decoder->tar_hash, tar, part);
		digested += size;
		tar += part;
		tar_size -= part;
	}
	sha256_update(&decoder->tar_hash, tar, tar_size);
	atomic_store(&decoder->digested, digested);
}

/*
 * Whether there is something to hash that is best hashed beside decoding. That takes less of the
 * processor than one after the other, but more time than decoding alone: not where the owner of the
 * only thread would wait for it.
 */
static bool hashes_beside(struct decoder *decoder)
{
	bool is_awaited = decoder->has_thread && atomic_load(&decoder->owner->decoders) < 2;

	return !is_awaited && atomic_load(&decoder->made) != atomic_load(&decoder->hashed);
}

/*
 * Takes the next output to hash beside decoding, with what of the blob it was decoded from lies in one
 * piece; false: there is none, or the other side is at it.
 */
static bool begin_hashing(struct decoder *decoder, struct beside *tar, struct beside *blob)
{
	if (!hashes_beside(decoder) || atomic_exchange(&decoder->hashing, 1))
		return false;
	uint32_t hashed = atomic_load(&decoder->hashed);

	if (hashed == atomic_load(&decoder->made)) {
		/* The owner has hashed them just before. */
		atomic_store(&decoder->hashing, 0);
		return false;
	}
	uint32_t slot = hashed % DECODER_SLOTS;
	uint64_t digested = atomic_load(&decoder->digested);
	uint64_t at = digested % DECODER_INPUT;
	uint64_t size = decoder->decoded_from[slot] - digested;

	if (size > DECODER_INPUT - at)
		size = DECODER_INPUT - at;
	sha256_begin_beside(tar, &decoder->tar_hash, decoder->output[slot] + WINDOW,
			    decoder->output_size[slot]);
	sha256_begin_beside(blob, &decoder->blob_hash, decoder->input + at, size);
	return true;
}

/* Hashes what is left of them. */
static void end_hashing(struct decoder *decoder, const struct beside *tar, const struct beside *blob)
{
	uint32_t hashed = atomic_load(&decoder->hashed);
	uint64_t digested = atomic_load(&decoder->digested);

	atomic_store(&decoder->digested,
		     digested - digested % DECODER_INPUT +
			     (uint64_t)(blob->bytes - decoder->input));
	hash_both(decoder, decoder->decoded_from[hashed % DECODER_SLOTS], tar->bytes, tar->size);
	atomic_store(&decoder->hashed, hashed + 1);
	atomic_store(&decoder->hashing, 0);
}

/* Decodes what there is of the blob, or a part, into the next slot. */
static void decode(struct decoder *decoder)
{
	struct gunzip *gunzip = &decoder->gunzip;
	uint64_t decoded = atomic_load(&decoder->decoded);
	uint64_t at = decoded % DECODER_INPUT;
	uint64_t size = atomic_load(&decoder->given) - decoded;
	uint32_t slot = atomic_load(&decoder->made) % DECODER_SLOTS;

	if (size > DECODER_INPUT - at)
		size = DECODER_INPUT - at;
	struct beside beside[] = { { 0 }, { 0 }, { 0 } };
	bool hashes = begin_hashing(decoder, &beside[0], &beside[1]);
	uint32_t stopped = gunzip_run(gunzip, decoder->input + at, size, decoder->output[slot],
				      sizeof(decoder->output[slot]), beside);

	if (hashes)
		end_hashing(decoder, &beside[0], &beside[1]);
	decoder->has_more = stopped == DECODED_NEEDS_OUTPUT;
	if (stopped > DECODED_END) {
		decoder->malformed = stopped;
		return;
	}
	decoder->output_size[slot] = (uint32_t)gunzip->given;
	decoder->decoded_from[slot] = decoded + gunzip->taken;
	/* In this order: what an output was decoded from is decoded. */
	atomic_store(&decoder->decoded, decoded + gunzip->taken);
	if (gunzip->given > 0)
		atomic_fetch_add(&decoder->made, 1);
}

/*
 * Hashes the next output with its part of the blob, or what of the blob gives none; false: there is
 * nothing, or the other side is at it.
 */
static bool hash(struct decoder *decoder)
{
	bool is_hashed = atomic_load(&decoder->hashed) == atomic_load(&decoder->made) &&
			 atomic_load(&decoder->digested) == atomic_load(&decoder->decoded);

	if (is_hashed || atomic_exchange(&decoder->hashing, 1))
		return false;
	/* The other side may have hashed it just before. */
	uint32_t hashed = atomic_load(&decoder->hashed);

	if (hashed == atomic_load(&decoder->made)) {
		hash_both(decoder, atomic_load(&decoder->decoded), NULL, 0);
	} else {
		uint32_t slot = hashed % DECODER_SLOTS;

		hash_both(decoder, decoder->decoded_from[slot], decoder->output[slot] + WINDOW,
			  decoder->output_size[slot]);
		atomic_store(&decoder->hashed, hashed + 1);
	}
	atomic_store(&decoder->hashing, 0);
	return true;
}

/* Writes the next released output to its files; false: there is none, or the other side is at it. */
static bool write_out(struct decoder *decoder)
{
	uint32_t written = atomic_load(&decoder->written);

	if (written == atomic_load(&decoder->released) || atomic_exchange(&decoder->writing, 1))
		return false;
	written = atomic_load(&decoder->written);
	if (written != atomic_load(&decoder->released)) {
		uint32_t slot = written % DECODER_SLOTS;

		file_ops_run(decoder, slot, decoder->file_op_count[slot]);
		atomic_store(&decoder->written, written + 1);
	}
	atomic_store(&decoder->writing, 0);
	return true;
}

static bool is_done(struct decoder *decoder)
{
	uint32_t made = atomic_load(&decoder->made);

	return atomic_load(&decoder->hashed) == made && atomic_load(&decoder->written) == made &&
	       atomic_load(&decoder->digested) == atomic_load(&decoder->decoded);
}

static void end(struct decoder *decoder)
{
	decoder->incomplete = !decoder->gunzip.may_end;
	sha256_end(&decoder->blob_hash, decoder->digest);
	sha256_end(&decoder->tar_hash, decoder->diff_id);
	atomic_store(&decoder->ended, 1);
}

/*
 * Does a part of what there is to do; false: there is nothing. Decoding comes first, since the owner
 * waits for that, and does the other two when it has nothing else to do.
 */
static bool work(struct decoder *decoder)
{
	/* In this order: what was given before it was closed is seen. */
	bool closed = atomic_load(&decoder->closed);
	uint64_t given = atomic_load(&decoder->given);
	bool has_input = given != atomic_load(&decoder->decoded);
	bool decodes = !decoder->malformed && !atomic_load(&decoder->dropped);

	if (!decodes && has_input) {
		/* The rest is hashed all the same: a wrong digest explains a malformed stream. */
		atomic_store(&decoder->decoded, given);
	} else if (decodes && (has_input || decoder->has_more)) {
		if (!has_free_slot(decoder))
			return write_out(decoder) || hash(decoder);
		decode(decoder);
	} else if (!write_out(decoder) && !hash(decoder)) {
		if (!closed || !is_done(decoder))
			return false;
		end(decoder);
	}
	return true;
}

void decoder_work(struct decoder *decoder)
{
	while (!atomic_load(&decoder->stopped) && !atomic_load(&decoder->ended)) {
		uint32_t changes = atomic_load(&decoder->thread.changes);

		if (work(decoder))
			notify(&decoder->owner->side);
		else if (!atomic_load(&decoder->stopped))
			sleep_since(&decoder->thread, changes);
	}
	while (atomic_load(&decoder->written) != atomic_load(&decoder->released)) {
		uint32_t slot = atomic_fetch_add(&decoder->written, 1) % DECODER_SLOTS;

		file_ops_drop(decoder, slot, decoder->file_op_count[slot]);
	}
}

uint64_t decoder_give(struct decoder *decoder, const uint8_t *bytes, uint64_t size)
{
	uint64_t given = atomic_load(&decoder->given);
	uint64_t room = DECODER_INPUT - (given - atomic_load(&decoder->digested));
	uint64_t at = given % DECODER_INPUT;

	if (size > room)
		size = room;
	uint64_t first = size < DECODER_INPUT - at ? size : DECODER_INPUT - at;

	copy_bytes(decoder->input + at, bytes, first);
	copy_bytes(decoder->input, bytes + first, size - first);
	atomic_store(&decoder->given, given + size);
	notify(&decoder->thread);
	return size;
}

void decoder_drop(struct decoder *decoder)
{
	atomic_store(&decoder->dropped, 1);
}

void decoder_close(struct decoder *decoder)
{
	atomic_store(&decoder->closed, 1);
	notify(&decoder->thread);
}

int32_t decoder_take(struct decoder *decoder)
{
	uint32_t released = atomic_load(&decoder->released);
	/* In this order: what was made before the end is seen. */
	bool ended = atomic_load(&decoder->ended);

	if (atomic_load(&decoder->made) != released)
		return (int32_t)(released % DECODER_SLOTS);
	return ended ? DECODER_ENDED : DECODER_NOTHING;
}

void decoder_release(struct decoder *decoder, uint32_t file_ops)
{
	uint32_t released = atomic_load(&decoder->released);

	decoder->file_op_count[released % DECODER_SLOTS] = file_ops;
	atomic_store(&decoder->released, released + 1);
	if (decoder->has_thread)
		notify(&decoder->thread);
	else
		write_out(decoder);
}

void decoder_flush(struct decoder *decoder, uint32_t file_ops)
{
	uint32_t released = atomic_load(&decoder->released);

	for (;;) {
		uint32_t changes = atomic_load(&decoder->owner->side.changes);

		if (atomic_load(&decoder->written) == released)
			break;
		if (!write_out(decoder))
			sleep_since(&decoder->owner->side, changes);
	}
	file_ops_run(decoder, released % DECODER_SLOTS, file_ops);
}

static bool can_go_on(struct decoder *decoder)
{
	bool has_room = !atomic_load(&decoder->closed) &&
			atomic_load(&decoder->given) - atomic_load(&decoder->digested) <
				DECODER_INPUT;

	return has_room || decoder_take(decoder) != DECODER_NOTHING;
}

/* Does a part of what there is to do for the owner; false: there is nothing. */
static bool help(struct decoder *decoder)
{
	if (!decoder->has_thread)
		return decoder->wanted && work(decoder);
	if (!hash(decoder) && !write_out(decoder))
		return false;
	notify(&decoder->thread);
	return true;
}

bool decoder_help(struct owner *owner)
{
	for (struct decoder *decoder = owner->first; decoder != NULL; decoder = decoder->next) {
		if (decoder->wanted && can_go_on(decoder))
			return true;
	}
	for (struct decoder *decoder = owner->first; decoder != NULL; decoder = decoder->next) {
		if (help(decoder))
			return true;
	}
	return false;
}

void decoder_rest(struct owner *owner, uint32_t changes)
{
	sleep_since(&owner->side, changes);
}

void decoder_wait(struct owner *owner)
{
	uint32_t changes = atomic_load(&owner->side.changes);

	if (!decoder_help(owner))
		decoder_rest(owner, changes);
}

void decoder_stop(struct decoder *decoder)
{
	struct decoder **link = &decoder->owner->first;

	while (*link != decoder)
		link = &(*link)->next;
	*link = decoder->next;
	atomic_fetch_sub(&decoder->owner->decoders, 1);
	atomic_store(&decoder->stopped, 1);
	notify(&decoder->thread);
}
