import { proxyActivities } from "@temporalio/workflow";
import type { RunAnalysisActivities } from "../../activities/run-analysis-activities.ts";
import type { RunAnalysisInput } from "../../src/usecase/dto/run-analysis-input.ts";

/** The activities of the real workflow in another order: what a careless change would do to runs under way. */
export async function runAnalysis(input: RunAnalysisInput): Promise<void> {
  const { inspect, load } = proxyActivities<RunAnalysisActivities>({ startToCloseTimeout: "1 minute" });
  await load(input, {
    kind: "inspected",
    inputs: [],
    limits: { timeLimitSeconds: 1, heartbeatTimeoutMs: 1 },
    inspectMs: 0,
  });
  await inspect(input);
}
