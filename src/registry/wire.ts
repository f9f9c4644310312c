import * as z from "zod/mini";

/**
 * The small documents of registries and token endpoints. Loaded when the first of them is read: a
 * layer's Worker that only fetches its blob needs none.
 */

/** distribution-spec, "Error Codes"; Docker's token endpoints answer with `details` instead. */
export const ErrorBody = z.object({
  errors: z.optional(
    z.array(z.object({ code: z.optional(z.string()), message: z.optional(z.string()) })),
  ),
  details: z.optional(z.string()),
  error: z.optional(z.string()),
  error_description: z.optional(z.string()),
});

/** A token endpoint's answer (distribution, token specification; RFC 6749, 5.1). */
export const TokenReply = z.object({
  token: z.optional(z.string()),
  access_token: z.optional(z.string()),
  expires_in: z.optional(z.number()),
  refresh_token: z.optional(z.string()),
});

/** JSON of a given shape, or undefined for anything else. */
export function parseJson<T>(text: string, schema: z.ZodMiniType<T>): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return schema.safeParse(value).data;
}
