import type { Logger } from "../log.ts";
import type { ImageStore, StoreSpec } from "./store.ts";

/**
 * Opens the store a spec describes, here or in a Worker. Nothing is read or asked yet. Only the
 * kind that is opened is loaded: a layer's Worker waits for its modules.
 *
 * @param signal its abort ends whatever the store is doing, which then throws the signal's reason
 */
export async function openStore(
  spec: StoreSpec,
  log: Logger,
  signal?: AbortSignal,
): Promise<ImageStore> {
  if (spec.kind === "registry") {
    const { RegistryStore } = await import("../registry/registry_store.ts");
    return new RegistryStore(spec, log, signal);
  }
  const { LocalStore } = await import("./local_store.ts");
  return new LocalStore(spec, signal);
}
