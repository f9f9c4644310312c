/*
 * Starts the runtime from inside the packed executable (docs/executable.md).
 *
 * The kernel has mapped everything: this code, ld.so, the runtime, and the libraries as plain
 * bytes. What is left is what the kernel would have done for a program with an interpreter: a
 * stack that speaks of the runtime, and a jump to ld.so. Libraries are given to ld.so as files in
 * memory, which are closed again before the runtime's first instruction.
 */
#include "launcher.h"

#include "codec/codec.h"
#include "layout.h"
#include "stack.h"
#include "system.h"
#include "text.h"

#include <errno.h>

/* "command invoked cannot execute" (contract section 1) */
enum { CANNOT_START = 126 };

enum { EXPECTED_DESCRIPTORS = 4096 };

static int library_fd[MAX_LIBRARIES];
static struct limit open_files;
/* Environment entries that are known at run time only. */
static char found_entries[sizeof("FASTMCP_RUNNER_IMAGE=") + NUMBER_SIZE +
			  sizeof("FASTMCP_RUNNER_NOFILE=") + 2 * NUMBER_SIZE +
			  sizeof("FASTMCP_RUNNER_BATCH=1") +
			  sizeof("FASTMCP_RUNNER_CODEC=") + NUMBER_SIZE];
static size_t found_entry_count;

static uint64_t image_base(void)
{
	return (uint64_t)&layout - layout.self;
}

static _Noreturn void fail(const char *what, const char *why)
{
	char line[256];
	char *end = text_append(line, "fastmcp-runner: cannot start: ");

	end = text_append(end, what);
	end = text_append(end, ": ");
	end = text_append(end, why);
	end = text_append(end, "\n");
	sys_write(2, line, (size_t)(end - line));
	sys_exit(CANNOT_START);
}

static _Noreturn void fail_errno(const char *what, long result)
{
	char why[64];

	if (result == -EMFILE || result == -ENFILE)
		fail(what, "too many open files: raise RLIMIT_NOFILE (ulimit -n) to 64 or more");
	if (result == -ENOMEM || result == -ENOSPC)
		fail(what, "out of memory: allow the container more");
	text_append_number(text_append(why, "errno "), (uint64_t)-result);
	fail(what, why);
}

static int memory_file(const char *bytes, size_t size)
{
	long fd = sys_memory_file("fastmcp-runner");

	if (fd < 0)
		fail_errno("memfd_create", fd);
	while (size > 0) {
		long written = sys_write((int)fd, bytes, size);

		if (written == -EINTR)
			continue;
		if (written <= 0)
			fail_errno("writing a file in memory", written);
		bytes += written;
		size -= (size_t)written;
	}
	return (int)fd;
}

static void offer_libraries(void)
{
	for (uint64_t i = 0; i < layout.library_count; i++) {
		const struct extent *library = &layout.library[i];
		const char *bytes = (const char *)(image_base() + library->at);

		library_fd[i] = memory_file(bytes, library->size);
		sys_forget(bytes, library->size);
		text_append_number(text_append(tables.library_name[i], "/proc/self/fd/"),
				   (uint64_t)library_fd[i]);
	}
	if (layout.library_count > 0 && sys_exists(tables.library_name[0]) < 0)
		fail("\"/proc\" is not mounted",
		     "mount it, as container engines do (mount -t proc proc /proc)");
}

/*
 * The threads that the runtime starts for itself compile what has run often: they must not take the
 * core from the isolate the moment it wakes them, perhaps while another one is idle. The program
 * takes its own thread back. False: it is left as the user wants it, or cannot be changed.
 */
static bool schedule_as_batch(void)
{
	return sys_is_scheduled_normally() && sys_schedule_as_batch() >= 0;
}

/*
 * Where the image is, since the program reads its own source from it; the limit of open files,
 * which the runtime raises; whether this thread has become a batch job; and the codec, where this
 * processor can run it.
 */
static void note_found_entries(void)
{
	const struct codec *codec = codec_of_machine();
	char *end = text_append(found_entries, "FASTMCP_RUNNER_IMAGE=");
	long result = sys_open_files_limit(&open_files);

	if (result < 0)
		fail_errno("reading RLIMIT_NOFILE", result);
	end = text_append_number(end, image_base()) + 1;
	end = text_append_number(text_append(end, "FASTMCP_RUNNER_NOFILE="), open_files.soft);
	end = text_append_number(text_append(end, ":"), open_files.hard) + 1;
	found_entry_count = 2;
	if (schedule_as_batch()) {
		end = text_append(end, "FASTMCP_RUNNER_BATCH=1") + 1;
		found_entry_count++;
	}
	if (codec != NULL) {
		text_append_number(text_append(end, "FASTMCP_RUNNER_CODEC="), (uint64_t)codec);
		found_entry_count++;
	}
}

/*
 * Has the table of descriptors made as large as it is likely to become. In a process with threads,
 * the kernel lets whoever opens a file wait for milliseconds each time it outgrows a power of two.
 */
static void grow_descriptor_table(int fd)
{
	uint64_t size = open_files.soft < EXPECTED_DESCRIPTORS ? open_files.soft :
								 EXPECTED_DESCRIPTORS;
	long last = size > 0 ? sys_duplicate(fd, size - 1) : -EINVAL;

	/* Where it cannot, it grows when it must. */
	if (last >= 0)
		sys_close((int)last);
}

static struct additions additions(void)
{
	return (struct additions){
		.arguments = (const char *)(image_base() + layout.arguments.at),
		.argument_count = layout.arguments.count,
		.environment = (const char *)(image_base() + layout.environment.at),
		.environment_count = layout.environment.count,
		.found_environment = found_entries,
		.found_environment_count = found_entry_count,
	};
}

size_t launcher_stack_size(uint64_t *kernel_block)
{
	note_found_entries();

	struct block from = block_read(kernel_block);
	struct additions add = additions();

	return block_size(&from, &add);
}

uint64_t launcher_prepare(uint64_t *kernel_block, uint64_t *new_block)
{
	struct block from = block_read(kernel_block);
	struct additions add = additions();
	struct substitutes with = {
		.headers = (uint64_t)tables.header,
		.header_count = layout.runtime_headers,
		.loader = image_base() + layout.loader,
		.entry = (uint64_t)launcher_arrive,
	};

	offer_libraries();
	if (layout.library_count > 0)
		grow_descriptor_table(library_fd[0]);
	block_write(new_block, &from, &add, &with);
	return image_base() + layout.loader_entry;
}

uint64_t launcher_leave(void)
{
	for (uint64_t i = 0; i < layout.library_count; i++)
		sys_close(library_fd[i]);
	return image_base() + layout.runtime_entry;
}
