/**
 * What a directory holds, a line a node: two equal listings mean that nothing was touched.
 *
 * @param options `times`: modification times count too. @default true
 */
export function listTree(directory: string, options: { readonly times?: boolean } = {}): string {
  const lines: string[] = [];
  const visit = (path: string, name: string) => {
    const info = Deno.lstatSync(path);
    const type = info.isDirectory ? "d" : info.isSymlink ? "l" : info.isFile ? "f" : "o";
    const content = info.isSymlink
      ? Deno.readLinkSync(path)
      : info.isFile
      ? `${info.size} ${Deno.readFileSync(path).toString().slice(0, 4096)}`
      : "";
    const time = options.times === false ? "" : info.mtime?.getTime();
    const mode = ((info.mode ?? 0) & 0o7777).toString(8);
    lines.push(`${type} ${mode} ${info.uid}:${info.gid} ${time} ${name} ${content}`);
    if (!info.isDirectory) return;
    for (const child of [...Deno.readDirSync(path)].map((entry) => entry.name).sort()) {
      visit(`${path}/${child}`, `${name}/${child}`);
    }
  };
  visit(directory, ".");
  return lines.join("\n");
}
