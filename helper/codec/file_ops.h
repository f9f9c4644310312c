/* Writes outputs to the files that their owner has opened: by descriptors alone. */
#ifndef FILE_OPS_H
#define FILE_OPS_H

#include "decoder.h"

/* Does the first `count` operations of a slot; one that fails is noted. */
void file_ops_run(struct decoder *decoder, uint32_t slot, uint32_t count);
/* Closes what they would have closed. */
void file_ops_drop(struct decoder *decoder, uint32_t slot, uint32_t count);

#endif
