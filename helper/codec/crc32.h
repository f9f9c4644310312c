/* gzip's check (RFC 1952, 8), by the machine's own instructions. */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The check of some bytes whose beginning has the check `crc` (of nothing: 0). */
uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
