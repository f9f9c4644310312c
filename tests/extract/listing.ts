/**
 * A tree as lines, for comparison with another's: type, mode without setuid and setgid, owner,
 * time, hard-link group, target, content. Files that no extraction of ours makes are left out.
 */
export async function listing(
  root: string,
  below: readonly string[],
  options: { readonly owners: boolean; readonly timesBefore: number },
): Promise<string[]> {
  const real = below.filter((path) => isReal(root, path));
  if (real.length === 0) return [];
  const format = "%y\\t%m\\t%U:%G\\t%T@\\t%i\\t%n\\t%l\\t%p\\0";
  const found = await output("find", [...real, "-printf", format], root);
  const sums = await hashes(root, real);
  const records = found.split("\0").slice(0, -1).map((record) =>
    record.split("\t") as unknown as Fields
  );
  const names = new Map<string, string[]>();
  for (const [type, , , , inode, , , path] of records) {
    if (type !== "d") names.set(inode, [...names.get(inode) ?? [], path].sort());
  }
  return records.filter(([type]) => "fdl".includes(type)).map((record) => {
    const [type, mode, owner, time, inode, , target, path] = record;
    const isTimed = type !== "d" || Number(time) < options.timesBefore;
    const linked = names.get(inode) ?? [];
    return [
      path,
      type,
      type === "l" ? "" : (parseInt(mode, 8) & 0o1777).toString(8),
      options.owners ? owner : "",
      isTimed ? time : "",
      // Other names may be where nothing is compared.
      linked.length > 1 ? `= ${linked[0]}` : "",
      target,
      type === "f" ? sums.get(path) : "",
    ].join("\t");
  }).sort();
}

type Fields = readonly [
  type: string,
  mode: string,
  owner: string,
  time: string,
  inode: string,
  links: string,
  target: string,
  path: string,
];

/** Directories' times that only one side has an entry's time for cannot be compared. */
export function withoutDirectoryTime(line: string): string {
  const fields = line.split("\t");
  if (fields[1] === "d") fields[4] = "";
  return fields.join("\t");
}

/** Whether a path exists below the root with no symbolic link on the way. */
function isReal(root: string, path: string): boolean {
  let at = root;
  for (const name of path.split("/")) {
    at += `/${name}`;
    try {
      if (Deno.lstatSync(at).isSymlink && at !== `${root}/${path}`) return false;
    } catch {
      return false;
    }
  }
  return true;
}

async function hashes(root: string, below: readonly string[]): Promise<Map<string, string>> {
  const args = [...below, "-type", "f", "-exec", "sha256sum", "-z", "{}", "+"];
  const sums = await output("find", args, root);
  return new Map(
    sums.split("\0").slice(0, -1).map((line) => [line.slice(66), line.slice(0, 64)]),
  );
}

async function output(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(program, { args: [...args], cwd })
    .output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder("latin1").decode(stdout);
}
