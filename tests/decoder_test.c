/*
 * Sends gzip files through decoders whose work is done by a thread, for tests/codec_test.ts under
 * the thread sanitiser: decoder_test DIRECTORY FILE... writes the tar's bytes to a file in DIRECTORY
 * by way of the decoder, and prints its digest and that of the blob.
 */
#include "../helper/codec/decoder.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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

struct job {
	const uint8_t *bytes;
	size_t size;
	size_t given;
	struct output output;
	struct decoder *decoder;
	pthread_t thread;
	bool has_ended;
};

static void begin(struct job *job, struct owner *owner)
{
	decoder_begin(job->decoder, owner, true);
	if (pthread_create(&job->thread, NULL, work, job->decoder) != 0)
		abort();
}

/* Gives some and takes all there is; gives whether that was the last. */
static bool go_on(struct job *job)
{
	size_t left = job->size - job->given;

	if (left > 0) {
		job->given += decoder_give(job->decoder, job->bytes + job->given,
					   left < 70000 ? left : 70000);
		if (job->given == job->size)
			decoder_close(job->decoder);
	}
	return take(job->decoder, &job->output);
}

/* All at once, as layers are. An owner that is busy hashes nothing: the threads do, while they decode. */
static void run(struct job *jobs, size_t count, bool is_busy)
{
	struct owner owner = { 0 };
	size_t left = count;

	for (size_t i = 0; i < count; i++) {
		jobs[i].given = 0;
		jobs[i].output.size = 0;
		jobs[i].has_ended = false;
		begin(&jobs[i], &owner);
	}
	while (left > 0) {
		for (size_t i = 0; i < count; i++) {
			jobs[i].decoder->wanted = true;
			if (jobs[i].has_ended || !go_on(&jobs[i]))
				continue;
			decoder_stop(jobs[i].decoder);
			pthread_join(jobs[i].thread, NULL);
			jobs[i].has_ended = true;
			left--;
		}
		if (left > 0 && is_busy)
			sched_yield();
		else if (left > 0)
			decoder_wait(&owner);
	}
	if (owner.first != NULL || owner.decoders != 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		struct decoder *decoder = jobs[i].decoder;

		if (decoder->malformed != 0 || decoder->incomplete ||
		    decoder->failed_call != CALL_NONE)
			abort();
		if (is_busy)
			continue;
		print_digest(decoder->digest);
		print_digest(decoder->diff_id);
	}
}

/* Stopped in the middle: the thread ends, and closes what it was to close. */
static void stop_early(struct job *job)
{
	struct owner owner = { 0 };

	begin(job, &owner);
	decoder_give(job->decoder, job->bytes, job->size);
	bool is_large = job->size > 100000;

	if (is_large) {
		while (decoder_take(job->decoder) < 0)
			;
		job->decoder->file_ops[0][0] = finish_op(job->output.fd);
		decoder_release(job->decoder, 1);
	}
	decoder_stop(job->decoder);
	pthread_join(job->thread, NULL);
	if (is_large && fcntl(job->output.fd, F_GETFD) != -1)
		abort();
}

static struct job job_of(const char *from, const char *to)
{
	FILE *file = fopen(from, "rb");

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		abort();
	size_t size = (size_t)ftell(file);
	uint8_t *bytes = malloc(size);

	rewind(file);
	if (fread(bytes, 1, size, file) != size)
		abort();
	fclose(file);
	return (struct job){
		.bytes = bytes,
		.size = size,
		.output = { open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600), 0 },
		.decoder = calloc(1, sizeof(struct decoder)),
	};
}

int main(int argc, char **argv)
{
	enum { AT_ONCE = 2 };

	for (int i = 2; i < argc; i += AT_ONCE) {
		struct job jobs[AT_ONCE];
		/* The diff ID follows the digest. */
		uint8_t busy[AT_ONCE][2 * SHA256_SIZE];
		size_t count = 0;

		for (int j = i; j < argc && count < AT_ONCE; j++) {
			char path[4096];

			snprintf(path, sizeof(path), "%s/out-%d", argv[1], j);
			jobs[count++] = job_of(argv[j], path);
		}
		run(jobs, count, true);
		for (size_t j = 0; j < count; j++)
			memcpy(busy[j], jobs[j].decoder->digest, sizeof(busy[j]));
		run(jobs, count, false);
		for (size_t j = 0; j < count; j++) {
			if (memcmp(busy[j], jobs[j].decoder->digest, sizeof(busy[j])) != 0)
				abort();
		}
		for (size_t j = 0; j < count; j++) {
			stop_early(&jobs[j]);
			free((void *)jobs[j].bytes);
			free(jobs[j].decoder);
		}
	}
	return 0;
}
