import type { Readable } from "node:stream";

export type ObjectInfo = {
  readonly key: string;
  readonly sizeBytes: number;
  /** Changes whenever the content does. */
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly metadata: Readonly<Record<string, string>>;
};

/** A whole file on the local disk, whose sha256 (hex) the store checks on the way, or a short text. */
export type ObjectBody =
  | { readonly path: string; readonly sizeBytes: number; readonly sha256: string }
  | { readonly text: string };

/** Create only, or replace exactly what was seen. Without a condition: create or replace. */
export type PutCondition = { readonly ifAbsent: true } | { readonly ifMatch: string };

export type PutOptions = {
  readonly condition?: PutCondition;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Whether the object survives a loss of power. Default: true. */
  readonly durable?: boolean;
};

/**
 * Keys to bytes with atomic, conditional writes. Keys are relative, with `/`, made by this service from checked parts.
 * Every method throws StoreUnavailable when the store is away or refuses.
 */
export interface ObjectStore {
  /** As the setting gives it, without credentials. */
  readonly url: string;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** The bytes, or nothing. The stream fails rather than ends early. */
  get(key: string): Promise<{ readonly info: ObjectInfo; readonly body: Readable } | undefined>;
  text(key: string): Promise<string | undefined>;
  /** Atomic to readers. `false`: the condition did not hold, or a concurrent writer may have won; read back to know. */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<boolean>;
  /** Nothing happens when the key is absent. */
  delete(key: string): Promise<void>;
  /** In the order of keys. A prefix ends with `/` or is a whole name. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** A path whose bytes stay the same until disposed, whatever becomes of the object: a hard link, or a download. */
  local(key: string): Promise<(AsyncDisposable & { readonly path: string }) | undefined>;
}
