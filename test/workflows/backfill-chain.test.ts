import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { createBackfillActivities } from "../../activities/backfill-activities.ts";
import { createRunAnalysisActivities } from "../../activities/run-analysis-activities.ts";
import { InputInvalid } from "../../src/domain/model/failure.ts";
import { datesFrom } from "../../src/domain/value-object/date-range.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import { startAnalysisWorker } from "../../src/infrastructure/temporal/worker.ts";
import type { BackfillReport, DaysOrder, DaysReport } from "../../src/usecase/dto/backfill.ts";
import type { CarryOutBackfillUseCase } from "../../src/usecase/ports/input/carry-out-backfill-usecase.ts";
import { createFakeRunAnalysis } from "../support/fake-run-analysis.ts";
import { openWorkflowWorld, type WorkflowWorld } from "../support/workflow-world.ts";

vi.setConfig({ testTimeout: 300_000 });

let world: WorkflowWorld;

beforeAll(async () => {
  world = await openWorkflowWorld(inject("temporalAddress"));
});

afterAll(() => world[Symbol.asyncDispose]());

const total = 3_650;
/** Of each batch, as if its time were over then: ten years of days that take long. */
const perBatch = 3;
const isOwn = (date: string) => date.endsWith("-07-01") || date.endsWith("-11-01");

test("ten years of days go through, each once, with short histories", async () => {
  const orders: DaysOrder[] = [];
  const taken: string[] = [];
  const useCase: CarryOutBackfillUseCase = {
    prepare: async () => ({ window: 4, mode: "changed", total, timeLimitSeconds: 60, heartbeatTimeoutMs: 10_000 }),
    async runDays(order): Promise<DaysReport> {
      orders.push(order);
      const dates = datesFrom(parseTargetDate(order.from), Math.min(order.count, perBatch));
      taken.push(...dates);
      const own = dates.filter(isOwn);
      const counts = { published: dates.length - own.length, unchanged: 0, skipped: 0, superseded: 0, "no-input": 0 };
      return { done: dates.length, counts, own };
    },
  };
  const runs = createFakeRunAnalysis({
    async analyze({ date }) {
      throw new InputInvalid(`${date} is wrong`);
    },
  });
  const taskQueue = randomUUID();
  const worker = await startAnalysisWorker({
    target: world.target,
    taskQueue,
    activities: { ...createRunAnalysisActivities(runs.useCase), ...createBackfillActivities(useCase) },
    maxActivities: 8,
    workflowBundle: world.workflowBundle,
  });
  const workflowId = "backfill/totals";
  const begin = performance.now();
  const handle = await world.client.workflow.start("backfill", {
    workflowId,
    taskQueue,
    args: [{ dataset: "totals", from: "2016-01-01", to: "2025-12-28" }],
  });
  const report: BackfillReport = await handle.result().finally(() => worker.stop());
  const tookMs = performance.now() - begin;

  const wanted = datesFrom(parseTargetDate("2016-01-01"), total);
  expect(taken.toSorted()).toEqual(wanted);
  const failing = wanted.filter(isOwn);
  expect(report).toMatchObject({
    state: "completed",
    done: total,
    counts: { published: total - failing.length, failed: failing.length },
  });
  expect(report.failures.length).toBe(Math.min(20, failing.length));
  expect(report.failures[0]).toMatchObject({ code: "input-invalid", message: expect.stringMatching(/is wrong$/) });

  const lengths: number[] = [];
  for (const runId of new Set(orders.map((order) => order.runId))) {
    const { historyLength } = await world.client.workflow.getHandle(workflowId, runId).describe();
    lengths.push(historyLength);
  }
  process.stdout.write(
    `${total} dates in ${orders.length} batches and ${failing.length} runs: ${Math.round(tookMs)} ms, ${lengths.length - 1} times continued as new, largest history ${Math.max(...lengths)} events\n`,
  );
  expect(lengths.length).toBeGreaterThan(1);
  // Half of where Temporal warns.
  expect(Math.max(...lengths)).toBeLessThan(5_120);
});
