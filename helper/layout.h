/* What the packer tells the launcher; scripts/compile/layout.ts writes the same shapes. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <elf.h>
#include <stdint.h>

enum {
	MAX_LIBRARIES = 8,
	MAX_PROGRAM_HEADERS = 16,
	MAX_DYNAMIC = 64,
	/* "/proc/self/fd/" and the digits of an int */
	LIBRARY_NAME = 32,
};

/* A run of bytes in the executable; every address here counts from the start of the image. */
struct extent {
	uint64_t at;
	uint64_t size;
};

/* NUL-terminated strings, one after the other. */
struct strings {
	uint64_t at;
	uint64_t count;
};

struct layout {
	uint64_t self;           /* this structure's own address: gives the image's base */
	uint64_t loader;         /* ld.so's base */
	uint64_t loader_entry;
	uint64_t runtime_entry;
	uint64_t runtime_headers; /* how many of tables.headers there are */
	uint64_t library_count;
	struct extent library[MAX_LIBRARIES];
	struct strings arguments;   /* argv[0] and what goes before the user's own arguments */
	struct strings environment; /* what is set whatever the user has set */
};

/*
 * What ld.so reads of the runtime instead of the runtime's own tables: its program headers and its
 * dynamic section, which needs the libraries by the names below besides their own.
 */
struct tables {
	Elf64_Phdr header[MAX_PROGRAM_HEADERS];
	Elf64_Dyn dynamic[MAX_DYNAMIC];
	char library_name[MAX_LIBRARIES][LIBRARY_NAME];
};

/* Hidden, so that no access goes through a table that would need relocating. */
extern const struct layout layout __attribute__((visibility("hidden")));
extern struct tables tables __attribute__((visibility("hidden")));

#endif
