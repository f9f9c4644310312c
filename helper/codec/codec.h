/* What the program calls by address; src/os/codec.ts reads the same shape. */
#ifndef CODEC_H
#define CODEC_H

#include "decoder.h"

struct codec {
	/* Bytes that the owner of decoders sets aside for itself, and for each. */
	uint64_t owner_size;
	uint64_t decoder_size;
	void (*begin)(struct decoder *decoder, struct owner *owner, bool has_thread);
	void (*work)(struct decoder *decoder);
	uint64_t (*give)(struct decoder *decoder, const uint8_t *bytes, uint64_t size);
	void (*close)(struct decoder *decoder);
	void (*drop)(struct decoder *decoder);
	void (*release)(struct decoder *decoder, uint32_t file_ops);
	void (*flush)(struct decoder *decoder, uint32_t file_ops);
	bool (*help)(struct owner *owner);
	void (*rest)(struct owner *owner, uint32_t changes);
	void (*wait)(struct owner *owner);
	void (*stop)(struct decoder *decoder);
};

/* NULL where the processor lacks what it needs. */
const struct codec *codec_of_machine(void);

#endif
