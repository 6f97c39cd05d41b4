import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";
import type { Fence } from "../../../domain/value-object/fence.ts";
import type { RunId } from "../../../domain/value-object/run-id.ts";
import type { TargetDate } from "../../../domain/value-object/target-date.ts";

/** What the index keeps of the manifest of a published result. */
export type IndexedResult = {
  readonly date: TargetDate;
  readonly fence: Fence;
  readonly runId: RunId;
  readonly publishedAt: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** The first 16 hex digits of the manifest's. */
  readonly definitionDigest: string;
  /** 16 hex digits, the same for inputs of the same bytes or validators. */
  readonly inputsDigest: string;
};

export type RebuiltIndex = {
  readonly results: number;
  /** Entries that were missing, wrong or too many. */
  readonly repaired: number;
};

/**
 * What is published of a dataset, all dates at once. It is derived and follows publication, and a crash may leave it behind
 * by a date: the store itself is asked where that matters.
 */
export interface ResultIndex {
  /** In the order of dates. One that was never made is made first. @throws StoreUnavailable, StoreUnsafe */
  read(dataset: DatasetId): Promise<readonly IndexedResult[]>;

  /**
   * Those of the dates that are published, by what readers see. What the index lacks of them is entered.
   * @throws StoreUnavailable, StoreUnsafe
   */
  lookUp(dataset: DatasetId, dates: readonly TargetDate[]): Promise<readonly IndexedResult[]>;

  /** From the manifests of all that is published. Publication may go on meanwhile. @throws StoreUnavailable, StoreUnsafe */
  rebuild(dataset: DatasetId): Promise<RebuiltIndex>;
}
