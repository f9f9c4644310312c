import { assertEquals } from "@std/assert/equals.js";
import { withSections } from "../scripts/settings_table.ts";

Deno.test("README's tables of variables are those of the settings", async () => {
  const file = new URL("../README.md", import.meta.url);
  const normal = (text: string) => text.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");
  const text = await Deno.readTextFile(file);
  assertEquals(normal(text), normal(withSections(text)));
});
