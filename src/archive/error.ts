/** Bytes that are not the archive they claim to be; the layer pipeline answers it with exit 65. */
export class ArchiveError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ArchiveError";
  }
}
