/**
 * One pinned file of the input.
 * `uri` is what people see and holds no secret. `location` is where the pinned bytes lie: a `file:` URL or an `s3:`
 * address that is read in place, or a key of the store.
 */
export type PinnedInput = {
  readonly uri: string;
  readonly location: string;
  readonly sizeBytes: number;
  /** Absent where only the calculation reads the bytes: such a pin has an `etag`. */
  readonly sha256?: string;
  /** A strong validator of the source, quotes included, where it gave one. */
  readonly etag?: string;
  /** Of an object whose bucket keeps versions. */
  readonly versionId?: string;
  /** Hint of the source, ISO 8601 in UTC. */
  readonly modifiedAt?: string;
  readonly fetchedAt: string;
};

/** What a look at the source tells without reading it all. */
export type InspectedInput = Pick<PinnedInput, "uri"> &
  Partial<Pick<PinnedInput, "sizeBytes" | "sha256" | "etag" | "modifiedAt">>;

/**
 * Compares the input of now with an earlier one: by content where every sha256 is known, else address by address, by
 * sha256 or by strong validator. A time, a size, a version or a weak validator never proves sameness.
 */
export function compareInputs(
  now: readonly InspectedInput[],
  then: readonly InspectedInput[],
): "same" | "different" | "unknown" {
  if (now.length !== then.length) return "different";
  if (now.every((file) => file.sha256 !== undefined) && then.every((file) => file.sha256 !== undefined)) {
    const digests = (files: readonly InspectedInput[]) =>
      files
        .map((file) => file.sha256)
        .toSorted()
        .join();
    return digests(now) === digests(then) ? "same" : "different";
  }
  const before = new Map(then.map((file) => [file.uri, file]));
  return now.every((file) => isProvenSame(file, before.get(file.uri))) ? "same" : "unknown";
}

function isProvenSame(now: InspectedInput, then: InspectedInput | undefined): boolean {
  if (now.sha256 !== undefined && then?.sha256 !== undefined) return now.sha256 === then.sha256;
  return now.etag !== undefined && now.etag === then?.etag;
}
