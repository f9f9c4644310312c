/**
 * Bytes as a string, one character (U+0000 to U+00FF) a byte. File names are bytes, not text: this
 * keeps every name an archive may hold exact, and costs V8 one byte a character.
 */
export type ByteString = string;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes `start` to `end` of a buffer. */
export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): ByteString {
  let text = "";
  // fromCharCode takes its arguments on the stack: long names go by pieces.
  for (let at = start; at < end; at += 4096) {
    // A part of the bytes in place of an array takes twice as long.
    const codes = new Array<number>(Math.min(4096, end - at));
    for (let i = 0; i < codes.length; i++) codes[i] = bytes[at + i]!;
    text += String.fromCharCode.apply(null, codes);
  }
  return text;
}

/** The UTF-8 bytes of text, as the kernel gets them. */
export function toByteString(text: string): ByteString {
  return byteString(encoder.encode(text));
}

/** Text to show a person; bytes that are not UTF-8 become U+FFFD. */
export function fromByteString(bytes: ByteString): string {
  return decoder.decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
}
