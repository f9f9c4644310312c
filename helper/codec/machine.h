/* What the codec needs the machine to have. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>

/* Whether this processor has the instructions that machine_*.c and inflate.c use. */
bool machine_suffices(void);

#endif
