#include "file_ops.h"

#include "../system.h"

#include <errno.h>

struct result {
	enum file_call call;
	long result;
};

static struct result write_part(struct decoder *decoder, const struct file_op *op)
{
	const uint8_t *bytes = (const uint8_t *)decoder + (size_t)op->write.at;
	size_t size = (size_t)op->write.size;
	uint64_t offset = (uint64_t)op->write.offset;

	while (size > 0) {
		long written = sys_pwrite((int)op->fd, bytes, size, offset);

		if (written == -EINTR)
			continue;
		if (written < 0)
			return (struct result){ CALL_WRITE, written };
		bytes += written;
		offset += (uint64_t)written;
		size -= (size_t)written;
	}
	return (struct result){ CALL_NONE, 0 };
}

/* Owner last: a file that is given away is no longer this user's to change. */
static struct result set_metadata(const struct file_op *op)
{
	int fd = (int)op->fd;
	struct times times = { (int64_t)op->finish.seconds, (int64_t)op->finish.nanoseconds };
	long result = op->finish.size < 0 ? 0 : sys_ftruncate(fd, (uint64_t)op->finish.size);

	if (result < 0)
		return (struct result){ CALL_TRUNCATE, result };
	result = sys_fchmod(fd, (uint32_t)op->finish.mode);
	if (result < 0)
		return (struct result){ CALL_CHMOD, result };
	result = sys_set_times(fd, times);
	if (result < 0)
		return (struct result){ CALL_UTIMES, result };
	if (op->finish.uid >= 0)
		result = sys_fchown(fd, (uint32_t)op->finish.uid, (uint32_t)op->finish.gid);
	return (struct result){ CALL_CHOWN, result };
}

static void note(struct decoder *decoder, uint32_t slot, uint32_t op, struct result of)
{
	if (of.result >= 0 || atomic_load(&decoder->failed_call) != CALL_NONE)
		return;
	decoder->failed_errno = (uint32_t)-of.result;
	decoder->failed_slot = slot;
	decoder->failed_op = op;
	atomic_store(&decoder->failed_call, of.call);
}

void file_ops_run(struct decoder *decoder, uint32_t slot, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct file_op *op = &decoder->file_ops[slot][i];
		bool is_end = op->kind == FILE_FINISH;

		if (atomic_load(&decoder->failed_call) == CALL_NONE)
			note(decoder, slot, i, is_end ? set_metadata(op) : write_part(decoder, op));
		if (is_end) {
			struct result closed = { CALL_CLOSE, sys_close((int)op->fd) };

			note(decoder, slot, i, closed);
		}
	}
}

void file_ops_drop(struct decoder *decoder, uint32_t slot, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (decoder->file_ops[slot][i].kind == FILE_FINISH)
			sys_close((int)decoder->file_ops[slot][i].fd);
	}
}
