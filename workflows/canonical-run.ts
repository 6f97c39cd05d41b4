import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  type ChildWorkflowOptions,
  executeChild,
  proxyActivities,
  sleep,
} from "@temporalio/workflow";
import type { DailyAnalysisActivities } from "../activities/daily-analysis-activities.ts";
import { type FailureCode, isFailureCode } from "../src/domain/model/failure.ts";
import { workflowIdOf } from "../src/domain/value-object/run-identity.ts";
import type { RunMode } from "../src/domain/value-object/run-mode.ts";
import type { RunPriority } from "../src/domain/value-object/run-priority.ts";
import type { RunOutcome } from "../src/usecase/dto/run-analysis-output.ts";
import { retrying } from "./retrying.ts";
import type { runAnalysis } from "./run-analysis.ts";

/** How the run of a date ended, whoever had started it. */
export type RunEnd =
  | { readonly outcome: RunOutcome; readonly rows: number }
  | { readonly outcome: "failed"; readonly code: FailureCode; readonly message: string };

export type CanonicalRun = Pick<ChildWorkflowOptions, "parentClosePolicy" | "staticSummary"> & {
  readonly dataset: string;
  readonly date: string;
  readonly mode?: RunMode;
  readonly priority: RunPriority;
};

/** Who forces a run cancels the one that is under way, and starts another at once. */
const restartedWithin = "2 seconds";

/**
 * Runs the date as `analysis/<dataset>/<date>`, which only one can be at a time: one that is under way is waited for.
 * @throws the error when it is no answer: this workflow is canceled, or it is at fault itself
 */
export async function runCanonically({ dataset, date, mode, ...options }: CanonicalRun): Promise<RunEnd> {
  for (;;) {
    try {
      const { outcome, rows } = await executeChild<typeof runAnalysis>("runAnalysis", {
        ...options,
        workflowId: workflowIdOf(dataset, date),
        args: [{ dataset, date, ...(mode === undefined ? {} : { mode }) }],
        workflowIdReusePolicy: "ALLOW_DUPLICATE",
        cancellationType: "WAIT_CANCELLATION_COMPLETED",
      });
      return { outcome, rows };
    } catch (error) {
      if (!isUnderWay(error)) return failedEnd(error);
    }
    const followed = await follow(dataset, date, options.priority);
    if (followed !== undefined) return followed;
    await sleep("1 second");
  }
}

/**
 * The failure of a run or an activity as an end.
 * @throws the error when it is no answer: this workflow is canceled, or it is at fault itself
 */
export function failedEnd(error: unknown): Extract<RunEnd, { outcome: "failed" }> {
  if (CancellationScope.current().consideredCancelled) throw error;
  const isOfAnother = error instanceof ChildWorkflowFailure || error instanceof ActivityFailure;
  const cause = isOfAnother ? error.cause : error;
  if (cause instanceof ApplicationFailure && isFailureCode(cause.type)) {
    return { outcome: "failed", code: cause.type, message: cause.message };
  }
  if (!isOfAnother) throw error;
  const message = `ended without an answer: ${error.cause?.message ?? error.message}`;
  return { outcome: "failed", code: "crashed", message };
}

/** What became of the run that was under way, or nothing when there is none any more. */
async function follow(dataset: string, date: string, priority: RunPriority): Promise<RunEnd | undefined> {
  const { followRun } = proxyActivities<Pick<DailyAnalysisActivities, "followRun">>({
    startToCloseTimeout: "1 minute",
    scheduleToCloseTimeout: "14 days",
    heartbeatTimeout: "10 seconds",
    retry: { initialInterval: "200 milliseconds", backoffCoefficient: 1.5, maximumInterval: "5 seconds" },
    priority,
  });
  let stopped: string | undefined;
  for (;;) {
    try {
      const run = await retrying(() => followRun({ dataset, date }));
      if (run.status === "unknown") return undefined;
      if (run.status === "completed") return { outcome: run.outcome, rows: run.rows };
      const { code, message } = run;
      if (run.status === "failed" || run.runId === stopped) return { outcome: "failed", code, message };
      stopped = run.runId;
    } catch (error) {
      return failedEnd(error);
    }
    await sleep(restartedWithin);
  }
}

/** By its name: its class is not for workflows to import. */
function isUnderWay(error: unknown): boolean {
  return error instanceof Error && error.name === "WorkflowExecutionAlreadyStartedError";
}
