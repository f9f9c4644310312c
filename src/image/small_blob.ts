import { Exit, RunnerError } from "../errors.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import { documentDigest } from "../registry/document.ts";
import { readLimited } from "../registry/reply.ts";
import type { ImageStore } from "../store/store.ts";

/**
 * A blob that is read whole, its size and digest checked. Throws {@linkcode RunnerError} 65, before
 * anything is fetched if it says to be larger than `maxSize` bytes.
 */
export async function readDocument(
  store: ImageStore,
  descriptor: Descriptor,
  maxSize: number,
): Promise<Uint8Array> {
  const { digest, size } = descriptor;
  const refuse = (problem: string) =>
    new RunnerError(Exit.data, `config "${digest}" is not valid: ${problem}`);
  if (size > maxSize) {
    throw refuse(`it has ${size} bytes, more than ${maxSize} (RUNNER_MAX_CONFIG)`);
  }
  const bytes = await readLimited(store.blob(descriptor), size);
  if (bytes === undefined || bytes.length !== size) {
    throw refuse(`it does not have the ${size} bytes of the manifest`);
  }
  const found = await documentDigest(bytes, digest);
  if (found !== digest) throw refuse(`its bytes have the digest ${found}`);
  return bytes;
}
