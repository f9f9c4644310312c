import { runnerCommand, runnerEnv } from "../../tests/runner.ts";
import { onPath } from "../../tests/peers.ts";
import { blobPath } from "../../tests/registry/layout.ts";
import { type BenchImage, TAG } from "./images.ts";

/** One way from an image in the registry to the allowed files in a directory. */
export interface Contender {
  readonly name: string;
  /** What it stands for, in a line. */
  readonly about: string;
  /** Programs it needs. */
  readonly programs: readonly string[];
  /** @param place what it works on */
  command(place: Place): readonly string[];
  /** Where below the place's directory the tree is then. */
  readonly tree: string;
}

export interface Place {
  readonly image: BenchImage;
  /** `127.0.0.1:PORT/repository:tag` */
  readonly reference: string;
  /** Empty, and this run's own; removed after it. */
  readonly dir: string;
}

export const RUNNER = "runner";
export const FIRST_PRODUCT = "crane+tar+cp";
/** The floor is the fastest of the contenders whose names begin so. */
export const FLOOR = "floor";

/** What its copying must name: the contract's allowed paths, as far as the images have them. */
const COPIED = "app data home opt srv var/lib var/data " +
  "usr/lib/python*/site-packages usr/local/lib/python*/site-packages usr/local/lib/node_modules";

const CORES = navigator.hardwareConcurrency;

export const CONTENDERS: readonly Contender[] = [
  {
    name: RUNNER,
    about: "`fastmcp-runner pull IMAGE --root DIR`",
    programs: [],
    command: ({ reference, dir }) => [
      ...runnerCommand(),
      "pull",
      reference,
      "--root",
      `${dir}/root`,
    ],
    tree: "root",
  },
  {
    name: FIRST_PRODUCT,
    about:
      "the first product's flow: `crane export IMAGE - | tar x`, then `cp -a` of the allowed " +
      "paths",
    programs: ["crane", "tar", "bash"],
    command: ({ reference, dir }) =>
      script(
        `cd "$1" && mkdir all && crane export "$2" - | tar -x -C all
        cd all && cp -a --parents $(for path in $COPIED; do test -e "$path" && echo "$path"; done) ../root`
          .replace("$COPIED", COPIED),
        dir,
        reference,
      ),
    tree: "root",
  },
  {
    name: "skopeo+umoci",
    about: "`skopeo copy` to a layout, `umoci unpack` of all of it",
    programs: ["skopeo", "umoci", "bash"],
    command: ({ reference, dir }) =>
      script(
        `skopeo --insecure-policy copy --quiet --src-tls-verify=false --src-no-creds \\
          "docker://$2" "oci:$1/layout:${TAG}"
        umoci unpack ${
          Deno.uid() === 0 ? "" : "--rootless"
        } --image "$1/layout:${TAG}" "$1/bundle"`,
        dir,
        reference,
      ),
    tree: "bundle/rootfs",
  },
  {
    name: `${FLOOR}, piped`,
    about:
      `local blobs, ${CORES} at once: \`libdeflate-gunzip -c BLOB | tar x\` of the allowed paths`,
    programs: ["libdeflate-gunzip", "tar", "bash", "xargs"],
    command: (place) => floor(place, `libdeflate-gunzip -c "$blob" | tar -x -b 512 -C root "$@"`),
    tree: "root",
  },
  {
    name: `${FLOOR}, by file`,
    about:
      `local blobs, ${CORES} at once: \`libdeflate-gunzip -c BLOB > TAR; tar xf TAR\` of the ` +
      "allowed paths",
    programs: ["libdeflate-gunzip", "tar", "bash", "xargs"],
    command: (place) =>
      floor(
        place,
        `libdeflate-gunzip -c "$blob" > "tar-$number"; tar -x -b 512 -f "tar-$number" -C root "$@"`,
      ),
    tree: "root",
  },
];

/** A contender's programs that this machine lacks. */
export function missing({ programs }: Contender): string[] {
  return programs.filter((program) => !onPath(program));
}

/** The environment every contender gets. */
export function environment(): Readonly<Record<string, string>> {
  return runnerEnv();
}

/** The same work for every layer, as many at a time as there are cores. */
function floor({ image, dir }: Place, extract: string): readonly string[] {
  const jobs = image.layers.map(({ digest, allowed }, number) => {
    const blob = `blob=${blobPath(image.layout, digest)}; number=${number}`;
    // Where nothing is extracted there is nothing to write, but its digest would still be wanted.
    const work = allowed.length === 0
      ? `libdeflate-gunzip -c "$blob" > /dev/null`
      : `set -- ${allowed.join(" ")}; ${extract}`;
    return `set -e -o pipefail; ${blob}; ${work}`;
  });
  return [
    "bash",
    "-c",
    `cd "$1"; shift; printf '%s\\0' "$@" | xargs -0 -n 1 -P ${CORES} bash -c`,
    "bash",
    dir,
    ...jobs,
  ];
}

function script(text: string, ...args: readonly string[]): readonly string[] {
  return ["bash", "-c", `set -e -o pipefail; ${text}`, "bash", ...args];
}
