#include "codec.h"

#include "machine.h"

const struct codec *codec_of_machine(void)
{
	/* Filled in here, since pointers in data would need relocations (scripts/compile/pack.ts). */
	static struct codec codec;

	if (!machine_suffices())
		return NULL;
	codec.owner_size = sizeof(struct owner);
	codec.decoder_size = sizeof(struct decoder);
	codec.begin = decoder_begin;
	codec.work = decoder_work;
	codec.give = decoder_give;
	codec.close = decoder_close;
	codec.drop = decoder_drop;
	codec.release = decoder_release;
	codec.flush = decoder_flush;
	codec.help = decoder_help;
	codec.rest = decoder_rest;
	codec.wait = decoder_wait;
	codec.stop = decoder_stop;
	return &codec;
}
