import type { RunAnalysisRequest } from "../../dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../../dto/run-analysis-output.ts";
import type { RunState } from "../output/run-orchestrator.ts";

export type SubmittedRun = {
  readonly dataset: string;
  readonly date: string;
  readonly workflowId: string;
  readonly runId: string;
};

/** Hands a run to the orchestrator. A second request for the same dataset and date joins the run that is under way. */
export interface SubmitAnalysisUseCase {
  /** @throws BadRequest, UnknownDataset, StoreUnavailable when the orchestrator is away */
  submit(request: RunAnalysisRequest): Promise<SubmittedRun>;

  /** Waits for the end of a submitted run. @throws what the run failed with */
  wait(run: SubmittedRun): Promise<RunAnalysisOutput>;

  /** The state of the last run of a dataset and date, or nothing when none is known. */
  describe(dataset: string, date: string): Promise<RunState | undefined>;
}
