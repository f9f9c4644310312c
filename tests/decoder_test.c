/*
 * Sends gzip files through decoders whose work is done by a thread, for tests/codec_test.ts under
 * the thread sanitiser: decoder_test DIRECTORY FILE... writes the tar's bytes to a file in DIRECTORY
 * by way of the decoder, and prints its digest and that of the blob.
 */
#include "../helper/codec/decoder.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *work(void *decoder)
{
	decoder_work(decoder);
	return NULL;
}

static struct file_op write_op(int fd, size_t offset, size_t at, size_t size)
{
	return (struct file_op){
		.kind = FILE_WRITE,
		.fd = fd,
		.write = { .offset = (double)offset, .at = (double)at, .size = (double)size },
	};
}

static struct file_op finish_op(int fd)
{
	return (struct file_op){
		.kind = FILE_FINISH,
		.fd = fd,
		.finish = { .size = -1, .mode = 0640, .seconds = 1, .uid = -1, .gid = -1 },
	};
}

struct output {
	int fd;
	size_t size;
};

/* Takes all there is; gives whether that was the last. Every output is written in three parts. */
static bool take(struct decoder *decoder, struct output *output)
{
	for (;;) {
		int32_t slot = decoder_take(decoder);

		if (slot < 0)
			return slot == DECODER_ENDED;
		size_t size = decoder->output_size[slot];
		size_t part = size / 3;
		struct file_op *ops = decoder->file_ops[slot];

		for (uint32_t i = 0; i < 3; i++)
			ops[i] = write_op(output->fd, output->size + i * part,
					  decoder->output_at[slot] + i * part,
					  i < 2 ? part : size - 2 * part);
		output->size += size;
		if (output->size % 5 == 0) {
			decoder_flush(decoder, 3);
			decoder_release(decoder, 0);
		} else {
			decoder_release(decoder, 3);
		}
	}
}

static void print_digest(const uint8_t *digest)
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		printf("%02x", digest[i]);
	printf("\n");
}

static void run(const uint8_t *bytes, size_t size, const char *path)
{
	struct decoder *decoder = malloc(sizeof(*decoder));
	struct output output = { open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), 0 };
	pthread_t thread;

	decoder_begin(decoder, true);
	if (output.fd < 0 || pthread_create(&thread, NULL, work, decoder) != 0)
		abort();
	for (size_t at = 0; at < size;) {
		size_t piece = size - at < 70000 ? size - at : 70000;

		at += decoder_give(decoder, bytes + at, piece);
		if (at < size)
			decoder_wait(decoder);
		take(decoder, &output);
	}
	decoder_close(decoder);
	while (!take(decoder, &output))
		decoder_wait(decoder);
	pthread_join(thread, NULL);
	if (decoder->malformed != 0 || decoder->incomplete || decoder->failed_call != CALL_NONE)
		abort();
	print_digest(decoder->digest);
	print_digest(decoder->diff_id);

	/* Stopped in the middle: the thread ends, and closes what it was to close. */
	decoder_begin(decoder, true);
	if (pthread_create(&thread, NULL, work, decoder) != 0)
		abort();
	decoder_give(decoder, bytes, size);
	if (size > 100000) {
		while (decoder_take(decoder) < 0)
			;
		decoder->file_ops[0][0] = finish_op(output.fd);
		decoder_stop(decoder);
		decoder_release(decoder, 1);
	}
	decoder_stop(decoder);
	pthread_join(thread, NULL);
	if (size > 100000 && fcntl(output.fd, F_GETFD) != -1)
		abort();
	free(decoder);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		char path[4096];

		if (file == NULL || fseek(file, 0, SEEK_END) != 0)
			abort();
		size_t size = (size_t)ftell(file);
		uint8_t *bytes = malloc(size);

		rewind(file);
		if (fread(bytes, 1, size, file) != size)
			abort();
		fclose(file);
		snprintf(path, sizeof(path), "%s/out-%d", argv[1], i);
		run(bytes, size, path);
		free(bytes);
	}
	return 0;
}
