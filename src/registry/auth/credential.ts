/** What a registry or its token endpoint takes as proof of who asks. Every string here is a secret. */
export type Credential =
  | { readonly kind: "password"; readonly user: string; readonly password: string }
  /** A refresh token (docker's `identitytoken`), good for the token endpoint alone. */
  | { readonly kind: "identity"; readonly token: string };

/** `Authorization: Basic` of RFC 7617, in UTF-8. */
export function basicAuthorization(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${bytes.toBase64()}`;
}
