import type { BackfillProgress, BackfillReport, BackfillRequest } from "../../dto/backfill.ts";
import type { StartedBackfill } from "../output/backfill-orchestrator.ts";

export type SubmittedBackfill = StartedBackfill & { readonly dataset: string; readonly total: number };

export type Canceled = {
  readonly workflowId: string;
  /** Nothing was running otherwise. */
  readonly wasRunning: boolean;
};

/** Hands the dates of a range to the orchestrator, and watches over them. One backfill at a time for a dataset. */
export interface BackfillUseCase {
  /**
   * @throws BadRequest, also when one of the dataset is running or its plan does not hold any more; UnknownDataset;
   * StoreUnavailable when the orchestrator is away
   */
  start(request: BackfillRequest, signal?: AbortSignal): Promise<SubmittedBackfill>;

  /** Waits for its end. @throws what it failed with; dates that failed are in the report */
  wait(backfill: StartedBackfill): Promise<BackfillReport>;

  /** Of the last backfill of the dataset. @throws BadRequest when none is known */
  progress(dataset: string): Promise<BackfillProgress>;

  /** Begins no further date. @throws BadRequest when none is running */
  pause(dataset: string): Promise<void>;

  /** @throws BadRequest when none is running */
  resume(dataset: string): Promise<void>;

  /** Changes how many dates run at a time. @throws BadRequest when none is running */
  setWindow(dataset: string, window: number): Promise<void>;

  /** Cancels the run of a date, or the backfill of the dataset, and waits until it has ended. */
  cancel(dataset: string, date?: string): Promise<Canceled>;
}
