/*
 * Decodes gzip files for tests/codec_test.ts, in the pieces and with the changes that it asks for:
 *   codec_test SEED CASES FILE...
 * Each file whole, by input and output of every size: its digest, by all of them the same. Then
 * CASES changed copies of each, of which there is nothing to say but that the sanitisers are content.
 */
#include "../helper/codec/gunzip.h"
#include "../helper/codec/machine.h"
#include "../helper/codec/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state;
static uint64_t hashed_beside;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

struct outcome {
	uint32_t stopped;
	uint32_t may_end;
	uint8_t digest[SHA256_SIZE];
};

static void require_digest(struct sha256 *hash, const uint8_t *bytes, size_t size)
{
	struct sha256 plain;
	uint8_t digest[SHA256_SIZE];
	uint8_t expected[SHA256_SIZE];

	sha256_begin(&plain);
	sha256_update(&plain, bytes, size);
	sha256_end(&plain, expected);
	sha256_end(hash, digest);
	if (memcmp(digest, expected, SHA256_SIZE) != 0)
		abort();
}

/*
 * In memory of exactly the size of each piece, so that the sanitisers see any byte beyond it. The
 * input is hashed beside it, twice.
 */
static struct outcome decode(const uint8_t *bytes, size_t size, size_t most_in, size_t out)
{
	struct outcome outcome = { 0 };
	struct gunzip *gunzip = malloc(sizeof(*gunzip));
	uint8_t *buffer = malloc(WINDOW + out);
	struct sha256 hash, once, again;
	uint64_t total = 0;

	size_t at = 0;

	sha256_begin(&hash);
	sha256_begin(&once);
	sha256_begin(&again);
	gunzip_begin(gunzip);
	while (at < size && outcome.stopped <= DECODED_END) {
		size_t piece = 1 + next_random() % most_in;
		size_t taken = 0;

		if (piece > size - at)
			piece = size - at;
		uint8_t *in = malloc(piece);

		struct beside beside[3] = { { 0 }, { 0 }, { 0 } };

		memcpy(in, bytes + at, piece);
		sha256_begin_beside(&beside[0], &once, in, piece);
		sha256_begin_beside(&beside[1], &again, in, piece);
		hashed_beside += beside[0].size;
		do {
			outcome.stopped =
				gunzip_run(gunzip, in + taken, piece - taken, buffer, WINDOW + out,
					   beside);
			if (gunzip->taken > piece - taken || gunzip->given > out)
				abort();
			taken += gunzip->taken;
			total += gunzip->given;
			sha256_update(&hash, buffer + WINDOW, gunzip->given);
			/* What a few bytes can become: 1032 for one, at most. */
			if (total > 1100 * (uint64_t)size + 1024)
				abort();
		} while (outcome.stopped == DECODED_NEEDS_OUTPUT);
		if (outcome.stopped == DECODED_NEEDS_INPUT && taken != piece)
			abort();
		hashed_beside -= beside[0].size;
		sha256_update(&once, beside[0].bytes, beside[0].size);
		sha256_update(&again, beside[1].bytes, beside[1].size);
		free(in);
		at += piece;
	}
	require_digest(&once, bytes, at);
	require_digest(&again, bytes, at);
	outcome.may_end = gunzip->may_end;
	sha256_end(&hash, outcome.digest);
	free(buffer);
	free(gunzip);
	return outcome;
}

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		abort();
	*size = (size_t)ftell(file);
	uint8_t *bytes = malloc(*size);

	rewind(file);
	if (fread(bytes, 1, *size, file) != *size)
		abort();
	fclose(file);
	return bytes;
}

static void whole(const uint8_t *bytes, size_t size)
{
	static const size_t sizes[] = { 1, 7, 300, 5000, 1 << 18 };
	struct outcome first = decode(bytes, size, size, 1 << 18);

	for (size_t i = 0; i < 5; i++) {
		for (size_t j = 0; j < 5; j++) {
			/* Each call copies the window: pieces in proportion to what there is. */
			size_t least = size / 200;
			struct outcome other =
				decode(bytes, size, sizes[i] + least, (sizes[j] + least) * 13);

			if (memcmp(first.digest, other.digest, SHA256_SIZE) != 0 ||
			    first.may_end != other.may_end)
				abort();
		}
	}
	if (first.stopped > DECODED_END || !first.may_end)
		abort();
	for (size_t i = 0; i < SHA256_SIZE; i++)
		printf("%02x", first.digest[i]);
	printf("\n");
}

static void changed(const uint8_t *bytes, size_t size, unsigned long cases)
{
	uint8_t *copy = malloc(size);

	for (; cases > 0; cases--) {
		size_t length = next_random() % 4 == 0 ? 1 + next_random() % size : size;

		memcpy(copy, bytes, size);
		for (uint64_t n = 1 + next_random() % 4; n > 0; n--) {
			/* The first bytes hold the headers, and the codes. */
			size_t within = next_random() % 2 ? size : size < 120 ? size : 120;

			copy[next_random() % within] = (uint8_t)next_random();
		}
		decode(copy, length, 1 + next_random() % (40 + size / 4),
		       1 + next_random() % (3000 + size));
	}
	free(copy);
}

int main(int argc, char **argv)
{
	unsigned long cases = strtoul(argv[2], NULL, 10);

	random_state = strtoul(argv[1], NULL, 10);
	for (int i = 3; i < argc; i++) {
		size_t size;
		uint8_t *bytes = read_file(argv[i], &size);

		/* Before it is known what the machine has, only what all have is used. */
		if (i == 3) {
			if (decode(bytes, size, size, 1 << 18).stopped > DECODED_END ||
			    !machine_suffices())
				abort();
		}
		whole(bytes, size);
		changed(bytes, size, cases);
		free(bytes);
	}
	if (hashed_beside == 0)
		abort();
	return 0;
}
