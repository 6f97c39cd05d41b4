import { backfillIdOf } from "../../domain/value-object/backfill-identity.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { countDates } from "../../domain/value-object/date-range.ts";
import { workflowIdOf } from "../../domain/value-object/run-identity.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";
import { parseBackfillRequest, parseWindow } from "../dto/backfill.ts";
import type { BackfillUseCase } from "../ports/input/backfill-usecase.ts";
import type { PlanUseCase } from "../ports/input/plan-usecase.ts";
import type { BackfillOrchestrator } from "../ports/output/backfill-orchestrator.ts";
import type { DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { RunOrchestrator } from "../ports/output/run-orchestrator.ts";
import { requirePlan } from "./require-plan.ts";

export type BackfillPorts = {
  readonly catalog: DatasetCatalog;
  readonly plan: PlanUseCase;
  readonly backfills: BackfillOrchestrator;
  readonly runs: Pick<RunOrchestrator, "cancel">;
};

export function createBackfillInteractor({ catalog, plan, backfills, runs }: BackfillPorts): BackfillUseCase {
  const known = (dataset: string) => catalog.get(parseDatasetId(dataset)).id;
  return {
    async start(request, signal) {
      const backfill = parseBackfillRequest(request);
      const dataset = known(backfill.dataset);
      await requirePlan(plan, backfill, signal);
      return { ...(await backfills.start(backfill)), dataset, total: countDates(backfill) };
    },
    wait: (backfill) => backfills.result(backfill),
    progress: async (dataset) => backfills.progress(known(dataset)),
    pause: async (dataset) => backfills.pause(known(dataset)),
    resume: async (dataset) => backfills.resume(known(dataset)),
    setWindow: async (dataset, window) => backfills.setWindow(known(dataset), parseWindow(window)),
    async cancel(dataset, date) {
      const id = known(dataset);
      if (date === undefined) return { workflowId: backfillIdOf(id), wasRunning: await backfills.cancel(id) };
      const target = parseTargetDate(date);
      return { workflowId: workflowIdOf(id, target), wasRunning: await runs.cancel(id, target) };
    },
  };
}
