import { computeDefaults } from "../../domain/model/dataset-definition.ts";
import { BadRequest, InputMissing } from "../../domain/model/failure.ts";
import { backfillIdOf, runIdWithin } from "../../domain/value-object/backfill-identity.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { countDates, datesFrom } from "../../domain/value-object/date-range.ts";
import { parseTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";
import { type DaysOrder, type DaysReport, parseBackfillRequest } from "../dto/backfill.ts";
import type { RunOutcome } from "../dto/run-analysis-output.ts";
import { isLarge } from "../large-input.ts";
import type { CarryOutBackfillUseCase } from "../ports/input/carry-out-backfill-usecase.ts";
import type { PlanUseCase } from "../ports/input/plan-usecase.ts";
import type { RunAnalysisUseCase } from "../ports/input/run-analysis-usecase.ts";
import type { CatalogEntry, DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { ResultRepository } from "../ports/output/result-repository.ts";
import type { RunOrchestrator } from "../ports/output/run-orchestrator.ts";
import { requirePlan } from "./require-plan.ts";

export type CarryOutBackfillPorts = {
  readonly catalog: DatasetCatalog;
  readonly plan: PlanUseCase;
  readonly run: Pick<RunAnalysisUseCase, "inspect" | "goOn">;
  readonly repository: Pick<ResultRepository, "discardStaged">;
  readonly runs: Pick<RunOrchestrator, "describe">;
  readonly heartbeatTimeoutMs: number;
};

/** A run that is wanted at once gets a slot of the worker, or its turn in the window, after this at the latest. */
const longestBatchMs = 1_000;

const nothingDone: DaysReport = {
  done: 0,
  counts: { published: 0, unchanged: 0, skipped: 0, superseded: 0, "no-input": 0 },
  own: [],
};

export function createCarryOutBackfillInteractor(ports: CarryOutBackfillPorts): CarryOutBackfillUseCase {
  const { catalog, plan, run, repository, runs } = ports;
  return {
    async prepare(request, id, signal) {
      const backfill = parseBackfillRequest(request);
      requireOwnId(backfill.dataset, id);
      const { definition } = catalog.get(backfill.dataset);
      await requirePlan(plan, backfill, signal);
      return {
        window: backfill.window,
        mode: backfill.mode,
        total: countDates(backfill),
        timeLimitSeconds: definition.compute?.timeLimitSeconds ?? computeDefaults.timeLimitSeconds,
        heartbeatTimeoutMs: ports.heartbeatTimeoutMs,
      };
    },

    async runDays(order, { signal, resume = nothingDone, onProgress } = {}) {
      const entry = catalog.get(parseDatasetId(order.dataset));
      const started = performance.now();
      let report = resume;
      for (const date of datesFrom(parseTargetDate(order.from), order.count).slice(report.done)) {
        signal?.throwIfAborted();
        report = withDate(report, date, await runDate(order, entry, date, signal));
        onProgress?.(report);
        if (performance.now() - started > longestBatchMs) break;
      }
      return report;
    },
  };

  async function runDate(
    { dataset, mode, runId, fence }: DaysOrder,
    entry: CatalogEntry,
    date: TargetDate,
    signal: AbortSignal | undefined,
  ): Promise<RunOutcome | "no-input" | "own"> {
    const input = { dataset, date, mode, fence, runId: runIdWithin(runId, date) };
    const control = signal === undefined ? {} : { signal };
    try {
      const inspected = await run.inspect(input, control);
      if (inspected.kind === "done") return inspected.output.outcome;
      if (isLarge(entry.definition, inspected.inputs)) return "own";
      // Asked last, so that the time in which both could begin is short. The store decides between them.
      if ((await runs.describe(entry.id, date))?.status === "running") return "own";
      return (await run.goOn(input, inspected, control)).outcome;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof InputMissing) return "no-input";
      // A run of its own tries again, and tells why it fails. What is left here now goes with the daily sweep otherwise.
      await repository.discardStaged(input.runId).catch(() => undefined);
      return "own";
    }
  }
}

/** One at a time for a dataset: two would wait for each other's runs. */
function requireOwnId(dataset: string, id: string): void {
  const expected = backfillIdOf(dataset);
  if (id !== expected) throw new BadRequest(`a backfill of ${dataset} has the workflow id ${expected}, got ${id}`);
}

function withDate(report: DaysReport, date: TargetDate, outcome: RunOutcome | "no-input" | "own"): DaysReport {
  const done = report.done + 1;
  if (outcome === "own") return { ...report, done, own: [...report.own, date] };
  return { ...report, done, counts: { ...report.counts, [outcome]: report.counts[outcome] + 1 } };
}
