#include "layout.h"

/* Both are filled in by the packer, which finds them by their sections. */
__attribute__((section(".packed.layout"))) const struct layout layout = { .self = 1 };
__attribute__((section(".packed.tables"))) struct tables tables = { .header = { { .p_type = 1 } } };
