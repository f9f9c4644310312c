/** How a registry wants requests authorised, as its last challenge said; plain data. */
export type Session =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly grant: TokenGrant; readonly token: Token };

/** What to ask a token endpoint for (distribution, "Token Authentication Specification"). */
export interface TokenGrant {
  /** The token endpoint's URL. */
  readonly realm: string;
  readonly service: string | undefined;
  readonly scope: string;
}

export interface Token {
  /** A secret. */
  readonly value: string;
  /** When it is to be renewed, in ms since the epoch: a little before it ends. */
  readonly renewAt: number;
}
