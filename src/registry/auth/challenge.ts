/** One challenge of a `WWW-Authenticate` header (RFC 9110, 11.6.1). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Parameter names in lower case, values unquoted. */
  readonly params: ReadonlyMap<string, string>;
}

/**
 * The challenges of a `WWW-Authenticate` header, in order; several header lines come joined by
 * commas, which the grammar allows. A comma separates parameters and challenges alike: what
 * follows one is a new challenge if it is a token not followed by `=`. Reading stops at the first
 * thing the grammar does not allow; what was read before it counts.
 */
export function parseChallenges(header: string): Challenge[] {
  const scanner = new Scanner(header);
  const challenges: Challenge[] = [];
  scanner.skipSeparators();
  while (!scanner.atEnd) {
    const scheme = scanner.token();
    if (scheme === undefined) break;
    const params = new Map<string, string>();
    challenges.push({ scheme: scheme.toLowerCase(), params });
    scanner.skipSpace();
    if (scanner.token68()) {
      if (!scanner.skipSeparators() && !scanner.atEnd) break;
      continue;
    }
    let separated = scanner.skipSeparators();
    for (;;) {
      const param = scanner.parameter();
      if (param === undefined) break;
      // The first of duplicates: a later one cannot redirect a login.
      if (!params.has(param.name)) params.set(param.name, param.value);
      separated = scanner.skipSeparators();
      if (!separated) break;
    }
    if (!separated) break;
  }
  return challenges;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/ys;
const EQUALS = /[ \t]*=[ \t]*/y;
const SPACE = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  token(): string | undefined {
    return this.#match(TOKEN)?.[0];
  }

  skipSpace(): void {
    this.#match(SPACE);
  }

  /** Skips white space and commas; whether there was a comma. */
  skipSeparators(): boolean {
    return this.#match(SEPARATORS)?.[0].includes(",") ?? false;
  }

  /** Consumes a token68, which `Negotiate` and its like have in place of parameters. */
  token68(): boolean {
    const start = this.#at;
    const match = this.#match(TOKEN68);
    if (match === undefined) return false;
    if (this.#looksLikeParameter(start)) {
      this.#at = start;
      return false;
    }
    return true;
  }

  /** `name=value` or `name="value"`; consumes nothing when the next thing is none. */
  parameter(): { name: string; value: string } | undefined {
    const start = this.#at;
    const name = this.token();
    if (name !== undefined && this.#match(EQUALS) !== undefined) {
      const quoted = this.#match(QUOTED)?.[1];
      const value = quoted?.replace(/\\(.)/gs, "$1") ?? this.token();
      if (value !== undefined) return { name: name.toLowerCase(), value };
    }
    this.#at = start;
    return undefined;
  }

  #looksLikeParameter(start: number): boolean {
    const end = this.#at;
    this.#at = start;
    const found = this.parameter() !== undefined;
    this.#at = end;
    return found;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }
}
