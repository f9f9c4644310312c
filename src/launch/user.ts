import { Exit, RunnerError } from "../errors.ts";
import type { ExtractOptions, ImageFiles } from "../extract/extract.ts";

/** Whom the server becomes. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups: the user's own. */
  readonly groups: readonly number[];
  /** The image's idea of the user's home directory. */
  readonly home: string | undefined;
}

/** What a user setting asks for, before anything has been looked up. */
export interface UserSpec {
  /** As it is quoted in messages. */
  readonly from: string;
  readonly user: string;
  readonly group: string | undefined;
}

/** Whoever owns the application's files: known at once, or once the image's own files are. */
export type Owner = ExtractOptions["owner"];

/** `RUNNER_USER`, or what the image's config says where it is `image` (contract section 7). */
export function userSpec(setting: string, imageUser: string | undefined): UserSpec {
  const ofImage = setting === "image";
  // An image without a user means root (image-spec, config).
  const text = ofImage ? imageUser || "0:0" : setting;
  const [user = "", group] = text.split(":");
  const from = ofImage
    ? `the image's user ${JSON.stringify(text)}`
    : `RUNNER_USER ${JSON.stringify(text)}`;
  return { from, user, group: group === "" ? undefined : group };
}

/** Whether the numbers can be told without the image's files, but for groups and home. */
export function isNumeric(spec: UserSpec): boolean {
  return id(spec.user) !== undefined && (spec.group === undefined || id(spec.group) !== undefined);
}

/**
 * The numbers of a user as the image's own passwd and group files have them. A uid without a group
 * that the image does not know gets the group of the same number, not root's.
 *
 * @throws {RunnerError} 64 for a name that is not in the files, and for root unless `allowRoot`
 */
export function resolveUser(spec: UserSpec, files: ImageFiles, allowRoot: boolean): ServerUser {
  const wanted = id(spec.user);
  const entry = records(files.passwd).find((fields) =>
    wanted === undefined ? fields[0] === spec.user : id(fields[2]) === wanted
  );
  const uid = wanted ?? id(entry?.[2]);
  if (uid === undefined) {
    throw new RunnerError(
      Exit.settings,
      `cannot become ${spec.from}: the image's /etc/passwd has no user "${spec.user}": ` +
        "set RUNNER_USER to uid:gid",
    );
  }
  if (uid === 0 && !allowRoot) {
    throw new RunnerError(
      Exit.settings,
      `cannot become ${spec.from}: that is root: set RUNNER_USER to another user, or ` +
        "RUNNER_ALLOW_ROOT=1",
    );
  }
  const gid = spec.group === undefined ? id(entry?.[3]) ?? uid : groupId(spec, files);
  const name = entry?.[0];
  const own = spec.group !== undefined || name === undefined ? [] : records(files.group)
    .filter((fields) => (fields[3] ?? "").split(",").includes(name))
    .flatMap((fields) => id(fields[2]) ?? []);
  return { uid, gid, groups: [...new Set([gid, ...own])], home: entry?.[5] || undefined };
}

/** The owner of the application's files, where the runner is root; see {@linkcode Owner}. */
export function ownerOf(spec: UserSpec, allowRoot: boolean): Owner {
  // Also refuses root at once, where that can be told.
  return isNumeric(spec) && spec.group !== undefined
    ? resolveUser(spec, { passwd: undefined, group: undefined }, allowRoot)
    : (files) => resolveUser(spec, files, allowRoot);
}

function groupId(spec: UserSpec, files: ImageFiles): number {
  const gid = id(spec.group) ??
    id(records(files.group).find((fields) => fields[0] === spec.group)?.[2]);
  if (gid !== undefined) return gid;
  throw new RunnerError(
    Exit.settings,
    `cannot become ${spec.from}: the image's /etc/group has no group "${spec.group}": ` +
      "set RUNNER_USER to uid:gid",
  );
}

/** Ids end below 2^32 - 1, which system calls take for "unchanged". */
function id(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value < 2 ** 32 - 1 ? value : undefined;
}

/** The lines of passwd(5) or group(5), split into fields. */
function records(file: Uint8Array | undefined): string[][] {
  if (file === undefined) return [];
  return new TextDecoder().decode(file).split("\n").map((line) => line.trim().split(":"));
}
