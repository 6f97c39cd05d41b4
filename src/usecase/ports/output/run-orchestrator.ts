import type { FailureCode } from "../../../domain/model/failure.ts";
import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";
import type { RunId } from "../../../domain/value-object/run-id.ts";
import type { RunMode } from "../../../domain/value-object/run-mode.ts";
import type { TargetDate } from "../../../domain/value-object/target-date.ts";
import type { RunAnalysisOutput } from "../../dto/run-analysis-output.ts";

export type RunRequest = {
  readonly dataset: DatasetId;
  readonly date: TargetDate;
  readonly mode: RunMode;
  readonly adopt?: boolean;
};

export type RunState = {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: "running" | "completed" | "failed" | "canceled" | "terminated";
  readonly startedAt: string;
  readonly closedAt?: string;
  readonly failure?: { readonly code: FailureCode; readonly message: string };
};

/** A date's run that is under way, or whose last end was a failure. */
export type RunSighting = Pick<RunState, "workflowId" | "runId" | "startedAt" | "closedAt"> & {
  readonly date: TargetDate;
  readonly status: "running" | "failed";
};

/** Keeps runs going through crashes and retries: Temporal. */
export interface RunOrchestrator {
  /** Starts the run, or joins the one under way; `force` ends that one first. @throws StoreUnavailable when it is away */
  start(request: RunRequest): Promise<{ readonly workflowId: string; readonly runId: string }>;
  /** @throws what the run failed with */
  result(run: { readonly workflowId: string; readonly runId: string }): Promise<RunAnalysisOutput>;
  describe(dataset: DatasetId, date: TargetDate): Promise<RunState | undefined>;
  /** Waits until the run of the date has ended. Whether one was running. @throws StoreUnavailable when it does not end */
  cancel(dataset: DatasetId, date: TargetDate): Promise<boolean>;
  /**
   * Those of the runs, or of the backfills that they belong to, that have not ended. One that has just begun may not be found, nor one that it does not know.
   * @throws StoreUnavailable when it is away, without runs as well
   */
  liveRuns(runIds: readonly RunId[]): Promise<ReadonlySet<RunId>>;
  /**
   * Dates from the first to the last that have a run under way, or whose last run failed. What happened a moment ago may not
   * be seen yet, nor what it has forgotten since.
   * @throws StoreUnavailable when it is away
   */
  statesOf(dataset: DatasetId, first: TargetDate, last: TargetDate): Promise<readonly RunSighting[]>;
}
