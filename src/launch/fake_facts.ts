import type { Facts } from "./facts.ts";

/** A file system for tests: path to content, `dir`, or a link's target. */
export type Tree = Readonly<
  Record<
    string,
    "dir" | { readonly link: string } | { readonly text?: string | Uint8Array; mode?: number }
  >
>;

/** {@linkcode Facts} of a small tree; directories on the way to a path exist by themselves. */
export function fakeFacts(tree: Tree): Facts {
  const parents = new Set(["/"]);
  for (const path of Object.keys(tree)) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      parents.add(path.slice(0, at));
    }
  }
  const real = (path: string, hops = 0): string | undefined => {
    if (hops > 8) return undefined;
    const names = path.split("/").filter((name) => name !== "");
    let at = "";
    for (const [i, name] of names.entries()) {
      const node = tree[`${at}/${name}`];
      if (typeof node === "object" && "link" in node) {
        const base = node.link.startsWith("/") ? node.link : `${at}/${node.link}`;
        return real([base, ...names.slice(i + 1)].join("/"), hops + 1);
      }
      at = `${at}/${name}`;
    }
    return at === "" || tree[at] !== undefined || parents.has(at) ? at || "/" : undefined;
  };
  return {
    real,
    stat(path) {
      const at = real(path);
      if (at === undefined) return undefined;
      const node = tree[at];
      const isFile = typeof node === "object" && !("link" in node);
      const mode = isFile ? node.mode ?? 0o755 : 0o755;
      return { kind: isFile ? "file" : "directory", mode, uid: 0, gid: 0 };
    },
    read(path, length, offset = 0) {
      const node = tree[real(path) ?? ""];
      if (typeof node !== "object" || "link" in node) return undefined;
      const { text = "" } = node;
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
    link(path) {
      const node = tree[path];
      return typeof node === "object" && "link" in node ? node.link : undefined;
    },
    list: (path) =>
      Object.keys(tree).filter((at) => at.slice(0, at.lastIndexOf("/")) === path)
        .map((at) => at.slice(path.length + 1)),
  };
}
