#include "hidden.h"

/*
 * Beginnings of entries; one that ends in '=' is a whole name. One array, not one of pointers,
 * since pointers would need relocations and nobody relocates the launcher.
 *
 * HOME is among them since the runtime looks for an .npmrc there, and our own names since of two
 * entries of one name some readers take the first and some the last.
 */
static const char HIDDEN[] = "DENO_\0"
			     "NODE_\0"
			     "NPM_CONFIG_\0"
			     "npm_config_\0"
			     "OTEL_DENO\0"
			     "TOKIO_\0"
			     "RUST_\0"
			     "SSLKEYLOGFILE=\0"
			     "LD_\0"
			     "MALLOC_\0"
			     "GLIBC_TUNABLES=\0"
			     "GCONV_PATH=\0"
			     "GETCONF_DIR=\0"
			     "LOCPATH=\0"
			     "NLSPATH=\0"
			     "HOME=\0"
			     "FASTMCP_RUNNER_\0";

static bool begins_with(const char *text, const char *beginning)
{
	while (*beginning != '\0') {
		if (*text++ != *beginning++)
			return false;
	}
	return true;
}

bool is_hidden(const char *entry)
{
	const char *beginning = HIDDEN;

	while (*beginning != '\0') {
		if (begins_with(entry, beginning))
			return true;
		while (*beginning++ != '\0')
			;
	}
	return false;
}

void hide(char *entry)
{
	entry[0] &= 0x1f;
}
