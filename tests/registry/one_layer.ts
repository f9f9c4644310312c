import { type FaultAction, type FaultyServer, type SeenRequest, serveFaulty } from "./faulty.ts";
import { writeLayout } from "./layout.ts";
import { noise } from "./pulling.ts";
import { registryHandler } from "./registry.ts";

/** The image of the tests of faults, `org/app:v1`: one layer that does not compress. */
export const SIZE = 400_000;
const dir = await Deno.makeTempDir({ prefix: "faults-" });
export const written = await writeLayout(dir, {
  tag: "v1",
  layers: [{ tar: noise(SIZE), compression: "none" }],
});
export const layer = written.layers[0]!;
globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));

export const isLayer = ({ path }: SeenRequest) => path.endsWith(layer.digest);

/** A registry whose n-th answer for the layer goes wrong as the n-th of `actions` says. */
export function layerFaults(...actions: (FaultAction | undefined)[]): FaultyServer {
  let n = 0;
  const plan = (request: SeenRequest) => isLayer(request) ? actions[n++] : undefined;
  return serveFaulty(registryHandler({ "org/app": dir }), plan);
}
