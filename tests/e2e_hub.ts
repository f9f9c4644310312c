import { pushLayout, startDistributionRegistry } from "./distribution_registry.ts";
import { type ImageInput, writeLayout } from "./registry/layout.ts";
import { serveRegistry } from "./registry/registry.ts";

/** A registry that takes images from a test, whichever program it is. */
export interface Hub {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  put(repository: string, tag: string, image: ImageInput): Promise<void>;
  close(): Promise<void>;
}

/** @param logins User names and passwords, by HTTP Basic; only of the distribution registry */
export async function openHub(
  kind: "embedded" | "distribution",
  logins?: Readonly<Record<string, string>>,
): Promise<Hub> {
  const layouts = await Deno.makeTempDir({ prefix: "hub-" });
  const write = async (repository: string, tag: string, image: ImageInput) => {
    const layout = `${layouts}/${repository.replaceAll("/", "-")}`;
    await writeLayout(layout, { ...image, tag });
    return layout;
  };
  if (kind === "embedded") {
    const repositories: Record<string, string> = {};
    const registry = serveRegistry(repositories);
    return {
      host: registry.host,
      async put(repository, tag, image) {
        repositories[repository] = await write(repository, tag, image);
      },
      async close() {
        await registry[Symbol.asyncDispose]();
        await Deno.remove(layouts, { recursive: true });
      },
    };
  }
  const registry = await startDistributionRegistry(logins ? { htpasswd: logins } : {});
  const [login] = Object.entries(logins ?? {});
  return {
    host: registry.host,
    async put(repository, tag, image) {
      const layout = await write(repository, tag, image);
      const credentials = login ? { credentials: login.join(":") } : {};
      await pushLayout(layout, tag, `${registry.host}/${repository}:${tag}`, credentials);
    },
    async close() {
      await registry.stop();
      await Deno.remove(layouts, { recursive: true });
    },
  };
}
