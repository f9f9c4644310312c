import { parseSettings } from "../../src/config/parse.ts";
import type { Settings } from "../../src/config/settings.ts";

/** The program's own defaults, and what a test changes. */
export function testSettings(changes: Partial<Settings> = {}): Settings {
  return { ...parseSettings({ values: {} }, {}), ...changes };
}
