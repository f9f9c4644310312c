/**
 * What is at each path below a root, in a line: `file MODE CONTENT [LINKS]`, `link TARGET`,
 * `dir MODE`. Paths that are there but not asked for are added, but for directories: those only
 * hold the others.
 */
export async function shape(
  root: string,
  asked: readonly string[],
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (path: string) => {
    for await (const { name } of Deno.readDir(`${root}/${path}`)) {
      const at = path === "" ? name : `${path}/${name}`;
      // Names that are not UTF-8 have no path here.
      const info = await Deno.lstat(`${root}/${at}`).catch(() => undefined);
      if (info === undefined) continue;
      const mode = ((info.mode ?? 0) & 0o7777).toString(8);
      if (info.isSymlink) found[at] = `link ${await Deno.readLink(`${root}/${at}`)}`;
      else if (info.isFile) {
        const text = await Deno.readTextFile(`${root}/${at}`);
        const links = (info.nlink ?? 1) > 1 ? ` ${info.nlink}` : "";
        found[at] = `file ${mode}${text === "" ? "" : ` ${text}`}${links}`;
      } else if (info.isDirectory) {
        if (asked.includes(at)) found[at] = `dir ${mode}`;
        await visit(at);
      } else found[at] = "other";
    }
  };
  await visit("");
  return found;
}
