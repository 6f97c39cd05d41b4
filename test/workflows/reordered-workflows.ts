import { proxyActivities, sleep } from "@temporalio/workflow";
import type { BackfillActivities } from "../../activities/backfill-activities.ts";
import type { DailyAnalysisActivities } from "../../activities/daily-analysis-activities.ts";
import type { RunAnalysisActivities } from "../../activities/run-analysis-activities.ts";
import type { SweepActivities } from "../../activities/sweep-activities.ts";
import type { DailyRequest } from "../../src/usecase/dto/daily-analysis.ts";
import type { RunAnalysisInput } from "../../src/usecase/dto/run-analysis-input.ts";

/** The activities of the real workflows in another order: what a careless change would do to runs under way. */
export async function runAnalysis(input: RunAnalysisInput): Promise<void> {
  const { inspect, load } = proxyActivities<RunAnalysisActivities>({ startToCloseTimeout: "1 minute" });
  await load(input, {
    kind: "inspected",
    inputs: [],
    limits: { timeLimitSeconds: 1, heartbeatTimeoutMs: 1 },
    steps: { inspect: { ms: 1, peakMemoryBytes: 1 } },
  });
  await inspect(input);
}

export async function dailyAnalysis(request: DailyRequest): Promise<void> {
  const activities = proxyActivities<DailyAnalysisActivities>({ startToCloseTimeout: "1 minute" });
  await activities.inspectLate({ dataset: request.dataset, date: "2026-01-01", runId: "run" });
  await activities.dailyDates({ ...request, nominalTime: "2026-01-01T06:00:00.000Z" });
}

export async function backfill(): Promise<void> {
  const { runDays } = proxyActivities<BackfillActivities>({ startToCloseTimeout: "1 minute" });
  await runDays({ dataset: "totals", from: "2026-01-01", count: 1, mode: "changed", runId: "run", fence: "fence" });
}

export async function sweep(): Promise<void> {
  const activities = proxyActivities<SweepActivities>({ startToCloseTimeout: "1 minute" });
  await sleep("1 second");
  await activities.sweep({});
}
