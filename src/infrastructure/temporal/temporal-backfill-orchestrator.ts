import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from "@temporalio/client";
import { BadRequest } from "../../domain/model/failure.ts";
import { backfillIdOf } from "../../domain/value-object/backfill-identity.ts";
import type { DatasetId } from "../../domain/value-object/dataset-id.ts";
import { runPriorities } from "../../domain/value-object/run-priority.ts";
import type { BackfillProgress, BackfillReport, BackfillSighting } from "../../usecase/dto/backfill.ts";
import type { BackfillOrchestrator } from "../../usecase/ports/output/backfill-orchestrator.ts";
import { endRunning, translated } from "./temporal-run-orchestrator.ts";

const workflowType = "backfill";
/** Long enough for a worker that has to replay the backfill first. */
const tellLimitMs = 2_000;

/** Backfills as Temporal workflows, one id for a dataset. */
export function createTemporalBackfillOrchestrator(
  connect: () => Promise<Client>,
  taskQueue: string,
): BackfillOrchestrator {
  return {
    start: (backfill) =>
      translated(async () => {
        const client = await connect();
        const { dataset, from, to, mode } = backfill;
        const workflowId = backfillIdOf(dataset);
        try {
          const handle = await client.workflow.start(workflowType, {
            workflowId,
            taskQueue,
            args: [backfill],
            workflowIdReusePolicy: "ALLOW_DUPLICATE",
            workflowIdConflictPolicy: "FAIL",
            staticSummary: `${dataset} ${from} to ${to}${mode === "changed" ? "" : `, ${mode}`}`,
            priority: runPriorities.backfill,
          });
          return { workflowId, runId: handle.firstExecutionRunId };
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          throw new BadRequest(
            `a backfill of ${dataset} is running already: wait for its end, or end it with \`cancel ${dataset}\``,
            { cause: error },
          );
        }
      }),

    result: ({ workflowId, runId }) =>
      translated(async () => {
        const client = await connect();
        const handle: WorkflowHandle = client.workflow.getHandle(workflowId, runId);
        return (await handle.result()) as BackfillReport;
      }),

    progress: (dataset) =>
      ofBackfill(dataset, "known", (handle) => handle.query("progress") as Promise<BackfillProgress>),
    underWay: (dataset) =>
      translated(async () => {
        const client = await connect();
        const handle = client.workflow.getHandle(backfillIdOf(dataset));
        const found = await describeUnlessUnknown(handle);
        if (found === undefined || found.closeTime !== undefined) return undefined;
        const { workflowId, runId, startTime } = found;
        const telling = client.withDeadline(Date.now() + tellLimitMs, () => handle.query<BackfillProgress>("progress"));
        // No worker is there, or it is busy: that it runs is known all the same.
        const progress = await telling.catch(() => null);
        const sighting: BackfillSighting = { workflowId, runId, startedAt: startTime.toISOString(), progress };
        return sighting;
      }),
    pause: (dataset) => ofBackfill(dataset, "running", (handle) => handle.signal("pause")),
    resume: (dataset) => ofBackfill(dataset, "running", (handle) => handle.signal("resume")),
    setWindow: (dataset, window) => ofBackfill(dataset, "running", (handle) => handle.signal("setWindow", window)),
    cancel: (dataset) => ofBackfill(dataset, "running", (handle) => endRunning(handle, handle.workflowId)),
  };

  function ofBackfill<T>(
    dataset: DatasetId,
    wanted: "known" | "running",
    work: (handle: WorkflowHandle) => Promise<T>,
  ): Promise<T> {
    return translated(async () => {
      const client = await connect();
      try {
        return await work(client.workflow.getHandle(backfillIdOf(dataset)));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        throw new BadRequest(`no backfill of ${dataset} is ${wanted}`, { cause: error });
      }
    });
  }
}

async function describeUnlessUnknown(handle: WorkflowHandle): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
