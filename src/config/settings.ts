import type { LogFormat, LogLevel } from "../log.ts";
import type { Platform } from "../reference/platform.ts";

/** Everything a command may be told, after validation (contract sections 1, 2 and the RUNNER_* of 3-7). */
export interface Settings {
  /** `IMAGE`, as given; undefined when unset (an error for the commands that need it). */
  readonly image: string | undefined;
  /** `PORT`, 1-65535; undefined when unset (an error for run and health). */
  readonly port: number | undefined;
  /** `REGISTRY_USER` and `REGISTRY_PASSWORD`: both or neither. */
  readonly registryLogin: { readonly user: string; readonly password: string } | undefined;
  readonly mcpTransport: "streamable-http" | "sse";
  readonly mcpHost: string;
  readonly mcpPath: string;
  readonly healthcheckPath: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** `MCP_ENV_*` with the prefix stripped. */
  readonly serverEnv: Readonly<Record<string, string>>;

  /** `RUNNER_ROOT`: absolute, normalised. @default "/" */
  readonly root: string;
  /** `RUNNER_PATHS`: absolute paths added to the allowlist. @default none */
  readonly paths: readonly string[];
  /** `RUNNER_PLATFORM`. @default the host's */
  readonly platform: Platform | undefined;
  /** `RUNNER_MAX_SIZE`: total unpacked bytes. @default 20 GiB */
  readonly maxSize: number;
  /** `RUNNER_MAX_ENTRIES`: archive entries over all layers. @default 2,000,000 */
  readonly maxEntries: number;
  /** `RUNNER_MAX_PATH`: bytes of one path or link target. @default 4,096 */
  readonly maxPathLength: number;
  /** `RUNNER_MAX_PAX`: bytes of one PAX or GNU long-name record. @default 1 MiB */
  readonly maxPaxSize: number;
  /** `RUNNER_MAX_MANIFEST`: bytes of an index or manifest. @default 4 MiB */
  readonly maxManifestSize: number;
  /** `RUNNER_MAX_CONFIG`: bytes of an image config. @default 8 MiB */
  readonly maxConfigSize: number;

  /** `RUNNER_STALL_TIMEOUT`, in ms: no byte for this long is a fault. @default 30,000 */
  readonly stallTimeoutMs: number;
  /** `RUNNER_PULL_TIMEOUT`, in ms: the whole pull. @default undefined: no deadline */
  readonly pullTimeoutMs: number | undefined;
  /** `RUNNER_MIRRORS`: registry -> mirror base URLs, tried in order before the origin. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  /** `RUNNER_CA_FILE`: PEM file of extra certificate authorities. */
  readonly caFile: string | undefined;
  /** `RUNNER_INSECURE_REGISTRIES`: `host[:port]` that may be spoken to over plain HTTP. */
  readonly insecureRegistries: readonly string[];

  /** `RUNNER_USER`, as given (`uid`, `uid:gid`, `name`, `name:group`, `image`). @default "1000:1000" */
  readonly user: string;
  /** `RUNNER_ALLOW_ROOT`. @default false */
  readonly allowRoot: boolean;
  /** `RUNNER_PASS_ENV`: names let through to the server; `*` allowed at the end. */
  readonly passEnv: readonly string[];
  /** Arguments after `--`: they replace the image's `Cmd`. @default undefined: keep it */
  readonly args: readonly string[] | undefined;
}
