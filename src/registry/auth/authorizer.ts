import { Exit, RunnerError } from "../../errors.ts";
import { shownText, shownUrl } from "../redact.ts";
import type { Transport } from "../transport.ts";
import type { Challenge } from "./challenge.ts";
import { basicAuthorization, type Credential } from "./credential.ts";
import type { Session, TokenGrant } from "./session.ts";
import { requestToken } from "./token.ts";

export interface AuthorizerOptions {
  readonly transport: Transport;
  /** For messages. */
  readonly host: string;
  /** Asked for when a challenge names no scope. */
  readonly repository: string;
  readonly credential: Credential | undefined;
  readonly session: Session | undefined;
}

/** Answers one host's challenges and keeps what came of it. Holds secrets until `forget`. */
export class Authorizer {
  readonly #options: Omit<AuthorizerOptions, "credential" | "session">;
  #credential: Credential | undefined;
  #session: Session | undefined;
  /** Of concurrent requests whose token ended, one renews it. */
  #renewal: Promise<string> | undefined;

  constructor({ credential, session, ...options }: AuthorizerOptions) {
    this.#options = options;
    this.#credential = credential;
    this.#session = session;
  }

  get credential(): Credential | undefined {
    return this.#credential;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  forget(): void {
    this.#credential = undefined;
    this.#session = undefined;
  }

  /** The header value to send without being asked; a token about to end is renewed first. */
  async authorization(): Promise<string | undefined> {
    const session = this.#session;
    if (session === undefined) return undefined;
    if (session.scheme === "basic") return this.#basic();
    if (Date.now() < session.token.renewAt) return `Bearer ${session.token.value}`;
    return await this.#renew(session.grant);
  }

  /**
   * The header value that answers a 401's challenges; throws {@linkcode RunnerError} 77 when there
   * is nothing to answer with.
   *
   * @param used what the refused request had sent
   * @param secure whether it went over https
   */
  async answer(
    challenges: readonly Challenge[],
    used: string | undefined,
    secure: boolean,
  ): Promise<string> {
    const { host } = this.#options;
    const bearer = challenges.find(({ scheme, params }) =>
      scheme === "bearer" && params.has("realm")
    );
    if (bearer !== undefined) {
      const current = this.#session;
      // Another request may have renewed the token since this one was sent.
      if (current?.scheme === "bearer" && used !== undefined) {
        const header = `Bearer ${current.token.value}`;
        if (header !== used && Date.now() < current.token.renewAt) return header;
      }
      return await this.#renew(this.#grant(bearer, secure));
    }
    if (challenges.some(({ scheme }) => scheme === "basic")) {
      const header = this.#basic();
      if (header === undefined) {
        throw new RunnerError(
          Exit.auth,
          `${host} wants a login: set REGISTRY_USER and REGISTRY_PASSWORD`,
        );
      }
      if (header === used) throw refusedLogin(host);
      this.#session = { scheme: "basic" };
      return header;
    }
    const offered = challenges.map(({ scheme }) => `"${shownText(scheme, 40)}"`).join(", ");
    throw new RunnerError(
      Exit.auth,
      `${host} wants a login of a kind the runner does not know: it offers ` +
        `${offered || "nothing"}, not Basic or Bearer`,
    );
  }

  #basic(): string | undefined {
    const credential = this.#credential;
    if (credential?.kind !== "password") return undefined;
    return basicAuthorization(credential.user, credential.password);
  }

  #grant({ params }: Challenge, secure: boolean): TokenGrant {
    const { host, repository } = this.#options;
    const realm = params.get("realm") ?? "";
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new RunnerError(
        Exit.unavailable,
        `${host} names a token endpoint that is no URL: "${shownText(realm, 100)}"`,
      );
    }
    if (secure && url.protocol === "http:") {
      throw new RunnerError(
        Exit.auth,
        `${host} names an unencrypted token endpoint, ${shownUrl(url)}: no login is sent there`,
      );
    }
    url.username = "";
    url.password = "";
    const scope = params.get("scope");
    return {
      realm: url.href,
      service: params.get("service"),
      scope: scope === undefined || scope === "" ? `repository:${repository}:pull` : scope,
    };
  }

  #renew(grant: TokenGrant): Promise<string> {
    this.#renewal ??= this.#request(grant).finally(() => this.#renewal = undefined);
    return this.#renewal;
  }

  async #request(grant: TokenGrant): Promise<string> {
    const { token, refreshToken } = await requestToken(
      this.#options.transport,
      grant,
      this.#credential,
    );
    this.#session = { scheme: "bearer", grant, token };
    if (refreshToken !== undefined && this.#credential?.kind === "identity") {
      this.#credential = { kind: "identity", token: refreshToken };
    }
    return `Bearer ${token.value}`;
  }
}

export function refusedLogin(host: string): RunnerError {
  return new RunnerError(
    Exit.auth,
    `log in to ${host}: it refused the user and password: check REGISTRY_USER and ` +
      `REGISTRY_PASSWORD or the registry's entry in config.json`,
  );
}
