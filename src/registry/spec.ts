import type { Reference } from "../reference/reference.ts";
import type { Authorities } from "./authorities.ts";
import type { Credential } from "./auth/credential.ts";
import type { Session } from "./auth/session.ts";

/** A repository in a registry, with everything a Worker needs to fetch its blobs. Holds secrets. */
export interface RegistrySpec {
  readonly kind: "registry";
  readonly reference: Reference;
  /** Tried in this order; the origin is the last. */
  readonly endpoints: readonly EndpointSpec[];
  readonly authorities: Authorities;
  /** No byte for this long is a fault. */
  readonly stallTimeoutMs: number;
  /** When the whole pull must be done, in ms since the epoch. @default undefined: no deadline */
  readonly deadline: number | undefined;
  /** Bytes an index or manifest may have. */
  readonly maxManifestSize: number;
  /** The first wait before a retry; each further one is twice as long. */
  readonly backoffMs: number;
}

/** One host that has the repository: the registry itself or a mirror of it. */
export interface EndpointSpec {
  /** `host[:port]`, for messages. */
  readonly host: string;
  /** Candidates for the scheme, in the order tried; one alone once a host has answered. */
  readonly schemes: readonly ("https" | "http")[];
  /** The repository's name at this host: a mirror may have a prefix. */
  readonly repository: string;
  readonly mirror: boolean;
  readonly credential: Credential | undefined;
  /** How requests are authorised since the last challenge; undefined before the first. */
  readonly session: Session | undefined;
}
