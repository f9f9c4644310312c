import { assertEquals } from "@std/assert/equals.js";
import { withSections } from "../scripts/readme.ts";

Deno.test("README's commands and variables are the program's", async () => {
  const file = new URL("../README.md", import.meta.url);
  const normal = (text: string) => text.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");
  const text = await Deno.readTextFile(file);
  assertEquals(normal(text), normal(withSections(text)));
});
