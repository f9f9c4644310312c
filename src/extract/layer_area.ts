import type { ByteString } from "../bytes.ts";
import { Directory } from "../os/directory.ts";

const NAMED = "named-nodes";
const NUMBERED = "numbered-nodes";

/** A layer's part of a staging directory: what its reader makes, until it is merged. */
export class LayerArea implements Disposable {
  /** Holds the two others and the layer's records. */
  readonly directory: Directory;
  // Opened when needed, and the second made then: an image has as many areas as layers.
  #named: Directory | undefined;
  #numbered: Directory | undefined;

  private constructor(directory: Directory) {
    this.directory = directory;
  }

  /** Nodes at the paths the layer itself has them at. */
  get named(): Directory {
    return this.#named ??= this.directory.child(NAMED);
  }

  /** Nodes whose path something else of the layer has, by number. */
  get numbered(): Directory {
    return this.#numbered ??= this.directory.tryChild(NUMBERED) ?? this.#makeNumbered();
  }

  /** @param name of the new area within the staging directory */
  static make(staging: Directory, name: ByteString): LayerArea {
    staging.mkdir(name, 0o700);
    const directory = staging.child(name);
    directory.mkdir(NAMED, 0o700);
    return new LayerArea(directory);
  }

  /** Takes over a descriptor that {@linkcode Directory.duplicate} made of an area's directory. */
  static given(fd: number): LayerArea {
    return new LayerArea(Directory.given(fd));
  }

  #makeNumbered(): Directory {
    this.directory.mkdir(NUMBERED, 0o700);
    return this.directory.child(NUMBERED);
  }

  [Symbol.dispose](): void {
    this.#named?.[Symbol.dispose]();
    this.#numbered?.[Symbol.dispose]();
    this.directory[Symbol.dispose]();
  }
}
