import { setTimeout as sleep } from "node:timers/promises";
import {
  ApplicationFailure,
  CancelledFailure,
  type Client,
  TerminatedFailure,
  type WorkflowExecutionInfo,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from "@temporalio/client";
import { defineSearchAttributeKey } from "@temporalio/common";
import {
  type AnalysisFailure,
  BadRequest,
  Crashed,
  type FailureDetails,
  failureOf,
  isFailureCode,
  StoreUnavailable,
} from "../../domain/model/failure.ts";
import { ownerOf } from "../../domain/value-object/backfill-identity.ts";
import { parseRunId, type RunId } from "../../domain/value-object/run-id.ts";
import { runAttributes, workflowIdOf } from "../../domain/value-object/run-identity.ts";
import { isTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";
import type { RunAnalysisOutput } from "../../usecase/dto/run-analysis-output.ts";
import type { RunOrchestrator, RunSighting, RunState } from "../../usecase/ports/output/run-orchestrator.ts";
import { serverFailure } from "./connection.ts";

const workflowType = "runAnalysis";
const cancelLimitMs = 30_000;
const runsInQuery = 50;
/** The newest of them; a list comes in that order. */
const mostRunsListed = 20_000;
const dateAttribute = defineSearchAttributeKey(runAttributes.date, "KEYWORD");

/** Runs as Temporal workflows, one id for a dataset and date. */
export function createTemporalRunOrchestrator(connect: () => Promise<Client>, taskQueue: string): RunOrchestrator {
  return {
    start: ({ dataset, date, mode, adopt }) =>
      translated(async () => {
        const client = await connect();
        const workflowId = workflowIdOf(dataset, date);
        if (mode === "force") await endRunning(client.workflow.getHandle(workflowId), workflowId);
        const handle = await client.workflow.start(workflowType, {
          workflowId,
          taskQueue,
          args: [{ dataset, date, mode, ...(adopt === true ? { adopt } : {}) }],
          workflowIdReusePolicy: "ALLOW_DUPLICATE",
          workflowIdConflictPolicy: "USE_EXISTING",
          staticSummary: `${dataset} ${date}${mode === "changed" ? "" : `, ${mode}`}`,
        });
        return { workflowId, runId: handle.firstExecutionRunId };
      }),

    result: ({ workflowId, runId }) =>
      translated(async () => {
        const client = await connect();
        const handle: WorkflowHandle = client.workflow.getHandle(workflowId, runId);
        return (await handle.result()) as RunAnalysisOutput;
      }),

    describe: (dataset, date) =>
      translated(async () => {
        const client = await connect();
        return describe(client.workflow.getHandle(workflowIdOf(dataset, date)));
      }),

    cancel: (dataset, date) =>
      translated(async () => {
        const client = await connect();
        const workflowId = workflowIdOf(dataset, date);
        return endRunning(client.workflow.getHandle(workflowId), workflowId);
      }),

    liveRuns: (runIds) =>
      translated(async () => {
        const client = await connect();
        const owned = Map.groupBy(runIds, ownerOf);
        const owners = [...owned.keys()];
        const live = new Set<RunId>();
        for (let start = 0; start < owners.length; start += runsInQuery) {
          const ids = owners.slice(start, start + runsInQuery).map((id) => `"${id}"`);
          // By the list, which lags: describing takes a workflow id, and the runs are known by their run ids.
          for await (const run of client.workflow.list({ query: `RunId IN (${ids.join(", ")})` })) {
            // Not "Running": a paused one has not ended either.
            if (run.closeTime !== undefined) continue;
            for (const id of owned.get(parseRunId(run.runId)) ?? []) live.add(id);
          }
        }
        return live;
      }),

    statesOf: (dataset, first, last) =>
      translated(async () => {
        const client = await connect();
        const ofDataset = `WorkflowType = "${workflowType}" AND ${runAttributes.dataset} = "${dataset}"`;
        const inRange = `${runAttributes.date} BETWEEN "${first}" AND "${last}"`;
        // Not "Running": a paused one has not ended either.
        const running = await newestRuns(client, `${ofDataset} AND ${inRange} AND CloseTime IS NULL`);
        const failures = await newestRuns(
          client,
          `${ofDataset} AND ${inRange} AND ExecutionStatus IN ("Failed", "TimedOut")`,
        );
        // A later run that ended well, or was stopped on purpose, makes good for a failure.
        const suspects = [...failures.keys()].filter((date) => !running.has(date));
        const found = [...running.values()];
        for (let start = 0; start < suspects.length; start += runsInQuery) {
          const dates = suspects.slice(start, start + runsInQuery).map((date) => `"${date}"`);
          const newest = await newestRuns(client, `${ofDataset} AND ${runAttributes.date} IN (${dates.join(", ")})`);
          found.push(...newest.values());
        }
        return found.flatMap(({ status, ...run }) =>
          status === "running" || status === "failed" ? [{ ...run, status }] : [],
        );
      }),
  };
}

type FoundRun = Omit<RunSighting, "status"> & Pick<RunState, "status">;

/** The run of each date that began last. */
async function newestRuns(client: Client, query: string): Promise<ReadonlyMap<TargetDate, FoundRun>> {
  const newest = new Map<TargetDate, FoundRun>();
  let count = 0;
  for await (const run of client.workflow.list({ query, pageSize: 1_000 })) {
    count += 1;
    if (count > mostRunsListed) break;
    const date = dateOf(run);
    if (date === undefined) continue;
    const startedAt = run.startTime.toISOString();
    if ((newest.get(date)?.startedAt ?? "") > startedAt) continue;
    newest.set(date, {
      date,
      status: run.closeTime === undefined ? "running" : (statuses[run.status.name] ?? "failed"),
      workflowId: run.workflowId,
      runId: run.runId,
      startedAt,
      ...(run.closeTime === undefined ? {} : { closedAt: run.closeTime.toISOString() }),
    });
  }
  return newest;
}

/** Nothing where somebody has run what is no date. */
function dateOf(run: WorkflowExecutionInfo): TargetDate | undefined {
  const date = run.typedSearchAttributes.get(dateAttribute);
  return isTargetDate(date) ? date : undefined;
}

/**
 * A running one is asked to stop and awaited, so that its calculation is gone before the next begins.
 * @returns whether one was running
 */
export async function endRunning(handle: WorkflowHandle, workflowId: string): Promise<boolean> {
  const state = await describe(handle);
  if (state?.status !== "running") return false;
  await handle.cancel().catch((error: unknown) => {
    // It has ended by itself meanwhile.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
  const deadline = Date.now() + cancelLimitMs;
  while ((await describe(handle))?.status === "running") {
    if (Date.now() > deadline)
      throw new StoreUnavailable(`the running ${workflowId} did not end ${cancelLimitMs / 1000} s after its cancel`);
    await sleep(100);
  }
  return true;
}

async function describe(handle: WorkflowHandle): Promise<RunState | undefined> {
  try {
    const description = await handle.describe();
    const status = runStatusOf(description);
    const state: RunState = {
      workflowId: description.workflowId,
      runId: description.runId,
      status,
      startedAt: description.startTime.toISOString(),
      ...(description.closeTime === undefined ? {} : { closedAt: description.closeTime.toISOString() }),
    };
    return status === "failed" ? { ...state, failure: await failureOfRun(handle) } : state;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

const statuses: Readonly<Record<string, RunState["status"]>> = {
  RUNNING: "running",
  CONTINUED_AS_NEW: "running",
  COMPLETED: "completed",
  FAILED: "failed",
  TIMED_OUT: "failed",
  CANCELLED: "canceled",
  TERMINATED: "terminated",
};

export function runStatusOf({ status }: { readonly status: { readonly name: string } }): RunState["status"] {
  return statuses[status.name] ?? "failed";
}

async function failureOfRun(handle: WorkflowHandle): Promise<NonNullable<RunState["failure"]>> {
  try {
    await handle.result();
  } catch (error) {
    const { code, message } = toFailure(error);
    return { code, message };
  }
  return { code: "crashed", message: "the run ended without a reason" };
}

/** With what the server and the workflow say as failures with a code. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error);
  }
}

function toFailure(error: unknown): AnalysisFailure {
  if (error instanceof WorkflowFailedError) return ofCause(error.cause, error);
  if (error instanceof WorkflowNotFoundError)
    return new BadRequest(`there is no such run: ${error.message}`, { cause: error });
  const failure = serverFailure(error);
  if (failure !== undefined) return failure;
  if (error instanceof Error && "code" in error && isFailureCode(error.code)) return error as AnalysisFailure;
  return new Crashed(error instanceof Error ? error.message : String(error), { cause: error });
}

function ofCause(cause: Error | undefined, error: Error): AnalysisFailure {
  if (cause instanceof ApplicationFailure && isFailureCode(cause.type)) {
    return failureOf(cause.type, cause.message, cause.details?.[0] as FailureDetails | undefined);
  }
  if (cause instanceof CancelledFailure) return new Crashed("the run was canceled", { cause: error });
  if (cause instanceof TerminatedFailure) return new Crashed("the run was terminated", { cause: error });
  return new Crashed(cause?.message ?? error.message, { cause: error });
}
