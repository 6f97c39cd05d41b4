import type { Manifest } from "../../../domain/model/analysis-result.ts";
import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";
import type { RunId } from "../../../domain/value-object/run-id.ts";
import type { RunMode } from "../../../domain/value-object/run-mode.ts";
import type { TargetDate } from "../../../domain/value-object/target-date.ts";

/** A manifest before publication gives it its place in the history. */
export type ManifestDraft = Omit<Manifest, "version" | "publishedAt" | "key" | "previous" | "result"> & {
  readonly result: Omit<Manifest["result"], "key"> & { readonly stagedKey: string };
};

export type Publication = { readonly outcome: "published" | "superseded" | "skipped"; readonly manifest: Manifest };

/** A local copy of published bytes, gone when disposed. */
export type LocalCopy = AsyncDisposable & { readonly path: string };

/** What an object at the stable key that this service did not write counts as: an error (default), or as nothing. */
export type Foreign = "refused" | "ignored";

/** Holds the published results and their history. A reader of the stable key sees one whole audited result, always. */
export interface ResultRepository {
  /**
   * What readers see now, or nothing.
   * @throws StoreUnavailable, StoreUnsafe
   */
  findPublished(dataset: DatasetId, date: TargetDate, foreign?: Foreign): Promise<Manifest | undefined>;

  /**
   * Completes a publication that was cut off after its commit, where that is so. Whoever finds it published may ask.
   * @throws StoreUnavailable
   */
  complete(published: Manifest): Promise<void>;

  /**
   * What is published, what that replaced, and so on to the first result of the partition.
   * @throws StoreUnavailable, StoreUnsafe
   */
  history(dataset: DatasetId, date: TargetDate): AsyncIterable<Manifest>;

  /** What this run has committed already, though it may have been replaced since. @throws StoreUnavailable */
  findCommitted(dataset: DatasetId, date: TargetDate, runId: RunId): Promise<Manifest | undefined>;

  /**
   * Publishes staged bytes, unless a later run has published (`superseded`) or, in mode `missing`, anything is there
   * (`skipped`). The same run may ask twice and gets the same answer. A foreign object that is ignored
   * is replaced.
   * @throws StoreUnavailable, StoreUnsafe
   */
  publish(draft: ManifestDraft, mode: RunMode, foreign?: Foreign): Promise<Publication>;

  /** The bytes that the manifest describes. @throws InputMissing when they were replaced meanwhile */
  openResult(manifest: Manifest): Promise<LocalCopy>;

  /** Removes what the run has staged. */
  discardStaged(runId: RunId): Promise<void>;
}
