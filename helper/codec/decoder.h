/*
 * The way of a gzipped layer's bytes from its blob to its tar (its digest, gunzip, its diff ID), and
 * from there to files. A thread does that ahead of and behind the owner, who gives the blob's bytes,
 * takes the tar's, and says what of them to write where. All of it goes through rings in memory that
 * is set aside once. Without a thread the owner does it. An owner may have several decoders, each
 * with a thread of its own.
 */
#ifndef DECODER_H
#define DECODER_H

#include "gunzip.h"
#include "sha256.h"

#include <stdatomic.h>

enum {
	DECODER_INPUT = 1 << 20,
	/* Bytes of the tar that are handed over at once: few enough to stay in a core's cache. */
	DECODER_OUTPUT = 1 << 18,
	DECODER_SLOTS = 12,
	/* What is to be done with one output, at most: each file that it ends is open so long. */
	DECODER_FILE_OPS = 128,
};

/* A part of an output for a file that the owner has open, or the file's end. */
enum file_op_kind {
	FILE_WRITE,
	FILE_FINISH,
};

/* All in doubles, which the owner writes without a conversion. */
struct file_op {
	double kind;
	double fd;
	union {
		struct {
			double offset; /* in the file */
			double at;     /* in struct decoder */
			double size;
			double unused[3];
		} write;
		struct {
			double size; /* to truncate to; negative: as written */
			double mode;
			double seconds;
			double nanoseconds;
			double uid; /* negative: not changed */
			double gid;
		} finish;
	};
};

/* What failed first, by the order below. */
enum file_call {
	CALL_NONE,
	CALL_WRITE,
	CALL_TRUNCATE,
	CALL_CHMOD,
	CALL_UTIMES,
	CALL_CHOWN,
	CALL_CLOSE,
};

/* Owner and thread each write some of it and sleep on the other's count of what has changed. */
struct side {
	_Atomic uint32_t changes;
	_Atomic uint32_t sleepers;
};

struct decoder;

/* Of one thread, which waits for all its decoders at once; begins as zeros. */
struct owner {
	struct side side; /* src/os/codec.ts reads the changes */
	_Atomic uint32_t decoders;
	struct decoder *first;
};

struct decoder {
	/* What src/os/native_decoder.ts reads: these stay first. */
	uint32_t output_at[DECODER_SLOTS];   /* where the slots' bytes are, in this structure */
	uint32_t output_size[DECODER_SLOTS];
	uint8_t digest[SHA256_SIZE];         /* valid at the end */
	uint8_t diff_id[SHA256_SIZE];
	uint32_t malformed;                  /* enum decoded, or 0 */
	uint32_t incomplete;                 /* at the end: the stream is cut short */
	/* Of the first operation on a file that failed: after it none but the closing is done. */
	_Atomic uint32_t failed_call;        /* enum file_call */
	uint32_t failed_errno;
	uint32_t failed_slot;
	uint32_t failed_op;
	/* Outputs decoded so far; and whether everything that came has been decoded. */
	_Atomic uint32_t made;
	_Atomic uint32_t ended;
	/* The owner's, for itself: it waits for this one. */
	uint32_t wanted;
	struct file_op file_ops[DECODER_SLOTS][DECODER_FILE_OPS];

	bool has_thread;
	struct owner *owner;
	struct decoder *next; /* of the owner's */
	struct side thread;
	_Atomic uint32_t stopped;
	_Atomic uint32_t dropped; /* no more output is wanted */
	_Atomic uint32_t closed;  /* no more input comes */
	/* Bytes of the blob: given, decoded, and hashed, which frees their place. */
	_Atomic uint64_t given;
	_Atomic uint64_t decoded;
	_Atomic uint64_t digested;
	/*
	 * Outputs, counted from the first as those made: hashed with what they were decoded from,
	 * released by the owner with what is to be written of them, and written. A slot is free again
	 * when it was hashed and written.
	 */
	_Atomic uint32_t hashed;
	_Atomic uint32_t released;
	_Atomic uint32_t written;
	uint64_t decoded_from[DECODER_SLOTS]; /* how far into the blob */
	uint32_t file_op_count[DECODER_SLOTS];
	/* Whoever has nothing better to do hashes or writes: the one that sets this. */
	_Atomic uint32_t hashing;
	_Atomic uint32_t writing;
	struct sha256 blob_hash;
	struct sha256 tar_hash;

	/* Of the one who decodes. */
	bool has_more; /* the last output was full: there may be more without more input */
	struct gunzip gunzip;

	uint8_t input[DECODER_INPUT];
	uint8_t output[DECODER_SLOTS][WINDOW + DECODER_OUTPUT];
};

enum {
	/* Of decoder_take, instead of a slot. */
	DECODER_NOTHING = -1,
	DECODER_ENDED = -2,
};

#pragma GCC visibility push(hidden)

/* The owner's from now on, until decoder_stop. */
void decoder_begin(struct decoder *decoder, struct owner *owner, bool has_thread);
/* The thread, until the end or decoder_stop. */
void decoder_work(struct decoder *decoder);

/* Everything below is the owner's. */
/* Copies as much as there is room for; gives how much that is. */
uint64_t decoder_give(struct decoder *decoder, const uint8_t *bytes, uint64_t size);
void decoder_close(struct decoder *decoder);
/* What is not decoded by now counts for the digest only; what is must still be taken. */
void decoder_drop(struct decoder *decoder);
/* The slot with the next output, or why there is none. */
int32_t decoder_take(struct decoder *decoder);
/* The output last taken may be overwritten when `file_ops` operations on it are done. */
void decoder_release(struct decoder *decoder, uint32_t file_ops);
/* Does all operations so far, with `file_ops` on the output last taken, which stays taken. */
void decoder_flush(struct decoder *decoder, uint32_t file_ops);
/*
 * Does a part of the work for the owner; false: there is none, nor has a decoder that is wanted
 * output, room for input, or come to its end.
 */
bool decoder_help(struct owner *owner);
/*
 * Until one of the owner's decoders has changed since the owner's changes were counted. It touches
 * nothing but the owner, so that a thread may rest in its stead.
 */
void decoder_rest(struct owner *owner, uint32_t changes);
/* Helps or rests. */
void decoder_wait(struct owner *owner);
/* The thread ends soon, whatever there is left, and the owner has nothing to do with it any more. */
void decoder_stop(struct decoder *decoder);

#pragma GCC visibility pop

#endif
