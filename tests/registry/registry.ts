import { blobPath, REF_NAME, type WrittenDescriptor } from "./layout.ts";

/**
 * A read-only registry in this process: the pull half of the OCI distribution API over OCI image
 * layouts in directories, with tags, HEAD and Range. Anonymous and without faults: those are put
 * in front of it (faults.ts, auth.ts).
 */

export type Handler = (request: Request) => Promise<Response>;

export interface EmbeddedRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`: an image is `${host}/${repository}:${tag}`. */
  readonly host: string;
}

/**
 * Serves layouts on a free loopback port: `serveRegistry({ "mcp/everything": dir })`. Layouts are
 * read anew at every request, so content may be added and tags moved while it runs.
 */
export function serveRegistry(repositories: Readonly<Record<string, string>>): EmbeddedRegistry {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    registryHandler(repositories),
  );
  return {
    host: `127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The registry as a function, to be wrapped or served in other ways. */
export function registryHandler(repositories: Readonly<Record<string, string>>): Handler {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refusal(405, "UNSUPPORTED", "the registry is read-only");
    }
    if (pathname === "/v2/") return new Response("{}", { headers: { "content-type": JSON_TYPE } });
    const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname);
    const [, repository = "", what, reference = ""] = match ?? [];
    if (match === null) return refusal(404, "UNSUPPORTED", "no such endpoint");
    const dir = Object.hasOwn(repositories, repository) ? repositories[repository] : undefined;
    if (dir === undefined) return refusal(404, "NAME_UNKNOWN", "repository name not known");
    return what === "manifests"
      ? await manifest(request, dir, reference)
      : await blob(request, dir, reference);
  };
}

const JSON_TYPE = "application/json";
const DIGEST = /^sha(256|512):[0-9a-f]+$/;

async function manifest(request: Request, dir: string, reference: string): Promise<Response> {
  const found = DIGEST.test(reference) ? { digest: reference } : await tagged(dir, reference);
  const bytes = found && await Deno.readFile(blobPath(dir, found.digest)).catch(() => undefined);
  if (found === undefined || bytes === undefined) {
    return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
  }
  const { mediaType } = JSON.parse(new TextDecoder().decode(bytes)) as { mediaType?: string };
  return new Response(request.method === "HEAD" ? null : bytes, {
    headers: {
      "content-type": mediaType ?? "application/vnd.oci.image.manifest.v1+json",
      "content-length": `${bytes.length}`,
      "docker-content-digest": found.digest,
    },
  });
}

async function tagged(dir: string, tag: string): Promise<WrittenDescriptor | undefined> {
  const text = await Deno.readTextFile(`${dir}/index.json`);
  const index = JSON.parse(text) as { manifests: WrittenDescriptor[] };
  return index.manifests.find((entry) => entry.annotations?.[REF_NAME] === tag);
}

async function blob(request: Request, dir: string, digest: string): Promise<Response> {
  if (!DIGEST.test(digest)) return refusal(400, "DIGEST_INVALID", "invalid digest");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(blobPath(dir, digest));
  } catch {
    return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry");
  }
  const { size } = await file.stat();
  const headers = new Headers({
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    "accept-ranges": "bytes",
  });
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  const start = range === null ? 0 : Number(range[1]);
  const end = Math.min(range?.[2] ? Number(range[2]) : size - 1, size - 1);
  if (range !== null && start > end) {
    file.close();
    headers.set("content-range", `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  if (range !== null) headers.set("content-range", `bytes ${start}-${end}/${size}`);
  headers.set("content-length", `${end - start + 1}`);
  const status = range === null ? 200 : 206;
  if (request.method === "HEAD") {
    file.close();
    return new Response(null, { status, headers });
  }
  await file.seek(start, Deno.SeekMode.Start);
  return new Response(limited(file.readable, end - start + 1), { status, headers });
}

/** The first `length` bytes of a stream, which is closed after them. */
function limited(stream: ReadableStream<Uint8Array>, length: number): ReadableStream<Uint8Array> {
  let left = length;
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start: (controller) => left === 0 ? controller.terminate() : undefined,
      transform: (chunk, controller) => {
        controller.enqueue(chunk.subarray(0, left));
        left -= Math.min(left, chunk.length);
        if (left === 0) controller.terminate();
      },
    }),
  );
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ errors: [{ code, message, detail: {} }] }, { status });
}
