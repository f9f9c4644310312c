/**
 * Serves layouts from the embedded registry, in a process of its own so that it shares no thread
 * with what is measured: `deno run -A scripts/bench/serve.ts REPOSITORY=LAYOUT…` prints its host.
 */
import { serveRegistry } from "../../tests/registry/registry.ts";

const repositories = Deno.args.map((arg): [string, string] => {
  const at = arg.indexOf("=");
  return [arg.slice(0, at), arg.slice(at + 1)];
});
console.log(serveRegistry(Object.fromEntries(repositories)).host);
