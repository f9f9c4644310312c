import { Exit, RunnerError } from "../errors.ts";
import type { Descriptor } from "../reference/descriptor.ts";
import { type Digest, isDigest } from "../reference/digest.ts";
import type { ManifestDocument } from "../store/store.ts";
import { Authorizer, refusedLogin } from "./auth/authorizer.ts";
import { parseChallenges } from "./auth/challenge.ts";
import { Fault } from "./fault.ts";
import { documentDigest } from "./document.ts";
import { shownText } from "./redact.ts";
import { describe, isTransient, readLimited, retryAfterMs } from "./reply.ts";
import type { EndpointSpec } from "./spec.ts";
import type { Reply, Request, Transport } from "./transport.ts";

/** All that can be pulled. Schema 1 is not asked for, so a registry that can convert does not. */
const ACCEPT_MANIFEST = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/**
 * The repository at one host: one attempt a call. Throws {@linkcode Fault} where another attempt
 * may help and {@linkcode RunnerError} where not.
 */
export class Endpoint {
  readonly #spec: EndpointSpec;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  #schemes: EndpointSpec["schemes"];
  /** Blobs for which this host's ranges are no use. */
  readonly #rangeless = new Set<Digest>();

  constructor(spec: EndpointSpec, transport: Transport) {
    // The authorizer alone keeps secrets, so that it alone must forget them.
    this.#spec = { ...spec, credential: undefined, session: undefined };
    this.#transport = transport;
    this.#schemes = spec.schemes;
    this.#authorizer = new Authorizer({ ...spec, transport });
  }

  get host(): string {
    return this.#spec.host;
  }

  get mirror(): boolean {
    return this.#spec.mirror;
  }

  /** As opened, with what has been learnt since. */
  get spec(): EndpointSpec {
    return {
      ...this.#spec,
      schemes: this.#schemes,
      credential: this.#authorizer.credential,
      session: this.#authorizer.session,
    };
  }

  forget(): void {
    this.#authorizer.forget();
  }

  /** The manifest by tag or digest, checked against the digest that was asked for or is told. */
  async manifest(reference: Digest | string, maxSize: number): Promise<ManifestDocument> {
    const reply = await this.#send(`manifests/${reference}`, { Accept: ACCEPT_MANIFEST });
    if (reply.status !== 200) throw await failure(reply);
    const bytes = await readLimited(reply.body, maxSize);
    if (bytes === undefined) {
      throw new RunnerError(
        Exit.data,
        `manifest "${reference}" from ${this.host} is larger than ${maxSize} bytes: ` +
          `set RUNNER_MAX_MANIFEST if that is right`,
      );
    }
    const told = reply.headers.get("docker-content-digest") ?? "";
    const expected = isDigest(reference) ? reference : isDigest(told) ? told : undefined;
    const digest = await documentDigest(bytes, expected);
    // Cut short on the way, as like as not.
    if (expected !== undefined && digest !== expected) {
      throw new Fault("content", `manifest "${reference}" is not what its digest says`);
    }
    const mediaType = reply.headers.get("content-type")?.split(";")[0]?.trim() ?? "";
    return { mediaType, digest, bytes };
  }

  /**
   * The blob's bytes from `offset` on, to its size or to a {@linkcode Fault}. Asks for a range, and
   * makes do with a host that sends the whole blob, or another range, instead.
   */
  async *blob(descriptor: Descriptor, offset: number): AsyncGenerator<Uint8Array> {
    const { digest, size } = descriptor;
    const ranged = offset > 0 && !this.#rangeless.has(digest);
    const headers: Record<string, string> = ranged ? { Range: `bytes=${offset}-` } : {};
    const reply = await this.#send(`blobs/${digest}`, headers);
    let skip = offset;
    if (reply.status === 206 && ranged) {
      const problem = rangeProblem(reply, offset, size);
      if (problem !== undefined) {
        await reply.discard();
        this.#rangeless.add(digest);
        throw new Fault("content", problem);
      }
      skip = 0;
    } else if (reply.status === 416) {
      await reply.discard();
      this.#rangeless.add(digest);
      throw new Fault("content", `it has no bytes from ${offset} on`);
    } else if (reply.status !== 200) {
      throw await failure(reply);
    }

    let received = offset - skip;
    try {
      for await (const chunk of reply.body) {
        received += chunk.length;
        if (received > size) {
          throw new RunnerError(
            Exit.data,
            `blob "${digest}" from ${this.host} is longer than the ${size} bytes of the manifest`,
          );
        }
        const fresh = skip >= chunk.length ? undefined : chunk.subarray(skip);
        skip = Math.max(0, skip - chunk.length);
        if (fresh !== undefined) yield fresh;
      }
    } catch (error) {
      // All there is to know has arrived: how the connection ends does not matter.
      if (error instanceof Fault && received === size) return;
      throw error;
    }
    if (received < size) throw new Fault("content", `it ended after ${received} of ${size} bytes`);
  }

  /** One request with the authorisation the host wants; 401 and 403 of its own are refusals. */
  async #send(
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<Reply> {
    const { request, ...answered } = await this.#ask(
      path,
      headers,
      await this.#authorizer.authorization(),
    );
    let { reply } = answered;
    if (reply.status === 401 && !reply.foreign) {
      const challenges = parseChallenges(reply.headers.get("www-authenticate") ?? "");
      await reply.discard();
      const secure = request.url.protocol === "https:";
      const authorization = await this.#authorizer.answer(
        challenges,
        request.authorization,
        secure,
      );
      reply = await this.#transport.send({ ...request, authorization });
      if (reply.status === 401 && !reply.foreign && authorization.startsWith("Basic ")) {
        await reply.discard();
        throw refusedLogin(this.host);
      }
    }
    // Storage behind a redirect takes a signed URL, which may have run out: ask for another.
    if (reply.foreign && reply.status >= 400 && reply.status !== 416) {
      throw await statusFault(reply);
    }
    if (reply.status === 401 || reply.status === 403) {
      const said = await describe("GET", reply);
      const advice = this.#authorizer.credential === undefined
        ? "the image is private or does not exist: set REGISTRY_USER and REGISTRY_PASSWORD"
        : "this login may not pull it, or it does not exist";
      throw new RunnerError(Exit.auth, `${said}: ${advice}`);
    }
    return reply;
  }

  /**
   * One request. While it is not known which of several schemes the host speaks, in each of them in
   * turn until one gets an answer, without credentials.
   */
  async #ask(
    path: string,
    headers: Readonly<Record<string, string>>,
    authorization: string | undefined,
  ): Promise<Answered> {
    const ask = async (scheme: string, authorization: string | undefined): Promise<Answered> => {
      const url = new URL(`${scheme}://${this.host}/v2/${this.#spec.repository}/${path}`);
      const request: Request = { method: "GET", url, headers, authorization };
      return { request, reply: await this.#transport.send(request) };
    };
    const [scheme, ...others] = this.#schemes;
    if (others.length === 0) return await ask(scheme!, authorization);
    let failed: Fault | undefined;
    let doubtful: Answered | undefined;
    for (const scheme of this.#schemes) {
      try {
        const answered = await ask(scheme, undefined);
        if (wantsHttps(answered)) {
          doubtful = answered;
          continue;
        }
        await doubtful?.reply.discard();
        this.#schemes = [scheme];
        return answered;
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        failed ??= error;
      }
    }
    if (doubtful === undefined) throw failed;
    this.#schemes = ["http"];
    return doubtful;
  }
}

/** A request and what came of it. */
interface Answered {
  readonly request: Request;
  readonly reply: Reply;
}

/**
 * What a TLS port says to plain HTTP (400, in text or HTML, not in a registry's JSON), and what a
 * host says that has both.
 */
function wantsHttps({ request, reply }: Answered): boolean {
  const { protocol, hostname } = request.url;
  if (protocol !== "http:") return false;
  const isJson = /json/.test(reply.headers.get("content-type") ?? "");
  return reply.status === 400 && !isJson ||
    reply.url.protocol === "https:" && reply.url.hostname === hostname;
}

/** What is wrong with a 206's `Content-Range` (RFC 9110, 14.4). */
function rangeProblem(reply: Reply, offset: number, size: number): string | undefined {
  const header = reply.headers.get("content-range") ?? "";
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header);
  const total = range?.[3] === "*" ? size : Number(range?.[3]);
  if (range !== null && Number(range[1]) === offset && total === size) return undefined;
  return `asked for bytes ${offset} to ${size - 1}, it answers with "${shownText(header, 60)}"`;
}

async function statusFault(reply: Reply): Promise<Fault> {
  const wait = retryAfterMs(reply.headers);
  return new Fault("status", await describe("GET", reply), wait);
}

async function failure(reply: Reply): Promise<Error> {
  if (isTransient(reply.status)) return await statusFault(reply);
  const said = await describe("GET", reply);
  const advice = reply.status === 404 ? ": check the repository and the tag" : "";
  return new RunnerError(Exit.unavailable, `${said}${advice}`);
}
