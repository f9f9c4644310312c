/**
 * The tags of an image, a line each: `image_tags.ts GIT_REF TARGET`, where GIT_REF is
 * `refs/heads/main` or `refs/tags/vX.Y.Z` and TARGET a target of the Dockerfile.
 */
import project from "../deno.json" with { type: "json" };

/** @param version The program's own, which a release's tag must name */
export function imageTags(ref: string, target: string, version: string): string[] {
  const suffix = { runner: "", static: "-static" }[target];
  if (suffix === undefined) throw new Error(`no target "${target}": runner or static`);
  if (ref === "refs/heads/main") return [`latest${suffix}`];
  if (!/^refs\/tags\/v\d+\.\d+\.\d+$/.test(ref)) {
    throw new Error(`no tags for "${ref}": refs/heads/main or refs/tags/vX.Y.Z`);
  }
  const tag = ref.slice("refs/tags/".length);
  if (tag !== `v${version}`) throw new Error(`the tag is "${tag}", the program ${version}`);
  return [`${tag}${suffix}`];
}

if (import.meta.main) {
  const [ref = "", target = ""] = Deno.args;
  try {
    console.log(imageTags(ref, target, project.version).join("\n"));
  } catch (error) {
    console.error(String(error));
    Deno.exit(64);
  }
}
