declare const brand: unique symbol;

/** `algorithm:hex` of bytes as they are stored and transferred (a compressed layer, a manifest). */
export type Digest = string & { readonly [brand]: "digest" };

/** `algorithm:hex` of a layer's uncompressed tar stream (image config `rootfs.diff_ids`). */
export type DiffId = string & { readonly [brand]: "diff ID" };
