import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";
import type { BackfillProgress, BackfillReport, BackfillSighting, ParsedBackfill } from "../../dto/backfill.ts";

export type StartedBackfill = { readonly workflowId: string; readonly runId: string };

/** Keeps a backfill going through crashes: Temporal. Every method throws StoreUnavailable when it is away. */
export interface BackfillOrchestrator {
  /** @throws BadRequest when one of the dataset is running */
  start(backfill: ParsedBackfill): Promise<StartedBackfill>;
  /** @throws what the backfill failed with */
  result(backfill: StartedBackfill): Promise<BackfillReport>;
  /** Of the last one. @throws BadRequest when none is known */
  progress(dataset: DatasetId): Promise<BackfillProgress>;
  /** The one that has not ended, if any. A worker that tells nothing is waited for two seconds at the most. */
  underWay(dataset: DatasetId): Promise<BackfillSighting | undefined>;
  /** @throws BadRequest when none is running */
  pause(dataset: DatasetId): Promise<void>;
  /** @throws BadRequest when none is running */
  resume(dataset: DatasetId): Promise<void>;
  /** @throws BadRequest when none is running */
  setWindow(dataset: DatasetId, window: number): Promise<void>;
  /** Waits until it has ended, with all that it had under way. Whether one was running. */
  cancel(dataset: DatasetId): Promise<boolean>;
}
