import { type Report, toMarkdown } from "./report.ts";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);

/** Puts a report into the page, in place of the last one of its scale. */
export async function writeIntoDocs(report: Report): Promise<void> {
  const page = await Deno.readTextFile(PAGE);
  const begin = `<!-- scale ${report.scale} -->`;
  const end = `<!-- end of scale ${report.scale} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md lacks ${begin} … ${end}`);
  const made = toMarkdown(report);
  await Deno.writeTextFile(PAGE, `${page.slice(0, from)}${begin}\n\n${made}\n${page.slice(to)}`);
  // The report's lines are as long as they are; the page's are not.
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", PAGE.pathname] }).output();
}
