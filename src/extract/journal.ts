import * as z from "zod/mini";
import type { ByteString } from "../bytes.ts";
import type { Directory } from "../os/directory.ts";
import { readLines } from "./line_file.ts";

/** Written while a commit is planned; the root is untouched. */
export const PLAN = "plan";
/** The same file once steps may have been taken: they must be taken back or all be done. */
export const COMMITTING = "committing";
/** The same file once every step was taken. */
export const COMMITTED = "committed";

/**
 * One step of a commit: what lies at `source` in a stage takes the place `target` below the root.
 * What was there before goes to the stage's backup of that name first.
 */
export interface Put {
  readonly target: ByteString;
  readonly source: ByteString;
  /** Where the stage is below the root; undefined: the staging directory's own tree. */
  readonly stage: ByteString | undefined;
  readonly backup: ByteString | undefined;
}

const line = z.union([
  z.tuple([z.literal("stage"), z.string()]),
  z.tuple([
    z.literal("put"),
    z.string(),
    z.string(),
    z.nullable(z.string()),
    z.nullable(z.string()),
  ]),
]);

export type Line = z.infer<typeof line>;

export function putLine(put: Put): Line {
  return ["put", put.target, put.source, put.stage ?? null, put.backup ?? null];
}

/** The lines of a journal, in order; none when the file is not there. */
export function* readJournal(staging: Directory, name: ByteString): Generator<Put | ByteString> {
  if (staging.stat(name) === undefined) return;
  using file = staging.open(name);
  for (const value of readLines(file)) {
    const parsed = line.parse(value);
    if (parsed[0] === "stage") yield parsed[1];
    else {
      const [, target, source, stage, backup] = parsed;
      yield { target, source, stage: stage ?? undefined, backup: backup ?? undefined };
    }
  }
}
