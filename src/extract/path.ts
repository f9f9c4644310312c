import type { ByteString } from "../bytes.ts";

/**
 * A path of an archive as it lies below a root: no leading or trailing slash, no `.`, and `..`
 * taken back lexically and stopped at the root, as container engines clean names. The root is "".
 */
export function cleanPath(path: ByteString): ByteString {
  if (CLEAN.test(path)) return path;
  const names: ByteString[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return names.join("/");
}

/** Names that begin with a dot take the slow way: most are harmless, none is frequent. */
const CLEAN = /^(?:[^/.][^/]*)(?:\/[^/.][^/]*)*$/s;

/** The directory part; "" for a name at the root. */
export function dirname(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** The last name. */
export function basename(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function join(directory: ByteString, name: ByteString): ByteString {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Whether a path is another or lies below it. */
export function isWithin(path: ByteString, directory: ByteString): boolean {
  return directory === "" || path === directory || path.startsWith(directory + "/");
}
