export type ObjectInfo = {
  readonly key: string;
  readonly sizeBytes: number;
  /** Changes whenever the content does. */
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly metadata: Readonly<Record<string, string>>;
};

/** What a list tells of an object. */
export type ObjectSummary = Pick<ObjectInfo, "key" | "sizeBytes" | "modifiedAt">;

/** A file of the local disk or another object of the same store, whose sha256 (hex) is checked on the way, or a short text. */
export type ObjectBody =
  | { readonly path: string; readonly sizeBytes: number; readonly sha256: string }
  | { readonly from: string; readonly sizeBytes: number; readonly sha256: string }
  | { readonly text: string };

/** Create only, or replace exactly what was seen. Without a condition: create or replace. */
export type PutCondition = { readonly ifAbsent: true } | { readonly ifMatch: string };

export type PutOptions = {
  readonly condition?: PutCondition;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Whether the object survives a loss of power. Default: true. */
  readonly durable?: boolean;
  /** For trials: a text's second half is sent when this has settled. A store that sends nothing does not wait. */
  readonly secondHalf?: Promise<void>;
};

/** A write that began and has not ended: of a process that works on it, or of one that died. */
export type UnfinishedWrite = {
  readonly name: string;
  /** What it was to become, where that can be told. In a bucket that others use, too, it may be theirs. */
  readonly key?: string;
  readonly startedAt: Date;
  discard(): Promise<void>;
};

export type LargePut = {
  readonly aboveBytes: number;
  /** Uploads a short text in that way, up to the last step, which makes it visible. `false` as of `put`. */
  begin(key: string, text: string): Promise<(condition: PutCondition) => Promise<boolean>>;
};

/**
 * Keys to bytes with atomic, conditional writes. Keys are relative, with `/`, made by this service from checked parts.
 * Every method throws StoreUnavailable when the store is away or refuses.
 */
export interface ObjectStore {
  /** As the setting gives it, without credentials. */
  readonly url: string;
  head(key: string): Promise<ObjectInfo | undefined>;
  text(key: string): Promise<string | undefined>;
  /**
   * Atomic to readers. `false`: the condition did not hold, or a concurrent writer may have won; read back to know.
   * After a StoreUnavailable, too, the object may be there.
   */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<boolean>;
  /** Nothing happens when the key is absent. */
  delete(key: string): Promise<void>;
  /** In the order of keys. A prefix ends with `/` or is a whole name. */
  list(prefix: string): AsyncIterable<ObjectSummary>;
  /** A path whose bytes stay the same until disposed, whatever becomes of the object: a hard link, or a download. */
  local(key: string): Promise<(AsyncDisposable & { readonly path: string }) | undefined>;
  unfinished(): AsyncIterable<UnfinishedWrite>;
  /** The clock that orders writers who share the store. */
  now(): Promise<Date>;
  /** Where objects above a size are written in another way, whose conditions have to prove themselves apart. */
  readonly large?: LargePut;
}
