import * as z from "zod";

/**
 * The small documents of registries and token endpoints. Loaded when the first of them is read: a
 * layer's Worker that only fetches its blob needs none.
 */

/** distribution-spec, "Error Codes"; Docker's token endpoints answer with `details` instead. */
export const ErrorBody = z.object({
  errors: z.array(z.object({ code: z.string().optional(), message: z.string().optional() }))
    .optional(),
  details: z.string().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
});

/** A token endpoint's answer (distribution, token specification; RFC 6749, 5.1). */
export const TokenReply = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
  refresh_token: z.string().optional(),
});

/** JSON of a given shape, or undefined for anything else. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return schema.safeParse(value).data;
}
