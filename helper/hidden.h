/* The user's environment variables that the runtime must not obey. */
#ifndef HIDDEN_H
#define HIDDEN_H

#include <stdbool.h>

/* Whether `entry` (NAME=value) must be hidden from the runtime, ld.so and libc. */
bool is_hidden(const char *entry);
/*
 * Hides it in place: its name's first letter becomes the control character of that letter, which
 * the program undoes for those that it passes on (src/packed.ts).
 */
void hide(char *entry);

#endif
