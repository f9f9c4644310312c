#include "bytes.h"
#include "crc32.h"
#include "machine.h"

#include <arm_acle.h>

/*
 * By the identification register, which the kernel lets programs read (it answers for it); the
 * fields say 1 or more where there are SHA-256 and CRC-32.
 */
bool machine_suffices(void)
{
	uint64_t features;

	__asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(features));
	return (features >> 12 & 15) > 0 && (features >> 16 & 15) > 0;
}

__attribute__((target("+crc"))) uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
	crc = ~crc;
	for (; size >= 8; size -= 8, bytes += 8)
		crc = __crc32d(crc, load64(bytes));
	for (; size > 0; size--)
		crc = __crc32b(crc, *bytes++);
	return ~crc;
}
