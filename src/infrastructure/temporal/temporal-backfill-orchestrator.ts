import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from "@temporalio/client";
import { BadRequest } from "../../domain/model/failure.ts";
import { backfillIdOf } from "../../domain/value-object/backfill-identity.ts";
import type { DatasetId } from "../../domain/value-object/dataset-id.ts";
import type { BackfillProgress, BackfillReport } from "../../usecase/dto/backfill.ts";
import type { BackfillOrchestrator } from "../../usecase/ports/output/backfill-orchestrator.ts";
import { endRunning, translated } from "./temporal-run-orchestrator.ts";

const workflowType = "backfill";
/** Daily runs have 2, and go first. */
const priority = { priorityKey: 5 };

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
            priority,
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
