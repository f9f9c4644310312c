import { Exit, reason, RunnerError } from "../errors.ts";
import { shownText } from "./redact.ts";

/**
 * What went wrong with one attempt, as far as what follows depends on it: `connect` means nothing
 * answered at all, `content` that what came was not what it should be.
 */
export type FaultKind = "connect" | "network" | "status" | "stall" | "content";

/** A failure that another attempt may get over (contract section 6); the message is the reason. */
export class Fault extends Error {
  readonly kind: FaultKind;
  /** How long the registry asks to wait. @default undefined: it does not say */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FaultKind, message: string, retryAfterMs?: number) {
    super(message);
    this.name = "Fault";
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Reasons that lie in the runtime's words, and ours for them. Its words hold whole URLs. */
const KNOWN: readonly (readonly [RegExp, FaultKind, string])[] = [
  [/connection refused/i, "connect", "connection refused"],
  [/dns error|lookup address|name or service not known/i, "connect", "the host name is not known"],
  [/no route to host/i, "connect", "no route to host"],
  [/network is unreachable/i, "connect", "the network is unreachable"],
  [/connect.*timed out/i, "connect", "connecting timed out"],
  [/InvalidContentType|WRONG_VERSION/i, "connect", "it does not speak TLS"],
  [/proxy|tunnel/i, "connect", "the proxy failed"],
  [/reset by peer/i, "network", "connection reset"],
  [/broken pipe/i, "network", "connection reset"],
  [
    /closed before message|unexpected eof|end of file|incomplete/i,
    "network",
    "connection closed early",
  ],
  [/error reading a body/i, "network", "connection closed early"],
];

/**
 * What a rejected `fetch` or body read means; an unfit certificate is final, since it stays so. The
 * runtime's error is not passed on as a cause, since it holds URLs in full: `detail` is its text
 * without their queries.
 */
export function networkFailure(
  error: unknown,
  shown: string,
): { failure: Error; detail: string } {
  const text = [error, (error as { cause?: unknown })?.cause].map(reason).join(" ");
  const detail = shownText(text.replace(/\?[^\s)]*/g, "?***").replace(/\/\/[^\s/@]*@/g, "//***@"));
  if (/invalid peer certificate/.test(text)) {
    const failure = new RunnerError(
      Exit.unavailable,
      `connect to ${shown}: its certificate is not trusted (${certificateProblem(text)}): ` +
        `name the certificate authority's PEM file in RUNNER_CA_FILE`,
    );
    return { failure, detail };
  }
  for (const [pattern, kind, words] of KNOWN) {
    if (pattern.test(text)) return { failure: new Fault(kind, words), detail };
  }
  return { failure: new Fault("network", "the connection failed"), detail };
}

function certificateProblem(text: string): string {
  if (/UnknownIssuer/.test(text)) return "unknown issuer";
  if (/not ?valid ?for ?name/i.test(text)) return "it is for another host name";
  if (/expired/i.test(text)) return "it has expired";
  if (/not ?valid ?yet/i.test(text)) return "it is not valid yet";
  if (/CaUsedAsEndEntity/.test(text)) return "it is an authority's own certificate";
  return "it cannot be verified";
}
