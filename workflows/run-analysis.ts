import type { Duration } from "@temporalio/common";
import { proxyActivities, setCurrentDetails, upsertSearchAttributes, workflowInfo } from "@temporalio/workflow";
import type { RunAnalysisActivities } from "../activities/run-analysis-activities.ts";
import { runAttributes } from "../src/domain/value-object/run-identity.ts";
import type { RunAnalysisInput, RunAnalysisRequest } from "../src/usecase/dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../src/usecase/dto/run-analysis-output.ts";
import type { AnalyzedDataset } from "../src/usecase/dto/run-steps.ts";
import { retrying } from "./retrying.ts";

/** Until `inspect` has told the definition's limits. */
const defaultHeartbeatTimeoutMs = 10_000;
const longestLoad = "2 hours";
const shortStep = "10 minutes";
/** With all retries, and with no worker there. */
const longestStep = "7 days";
/** Beyond the calculation's own limit: staging, and the wait for memory of the worker. */
const analyzeMarginMs = 2 * 60 * 60_000;

/** One dataset and one date: inspect, then load, analyze, save. */
export async function runAnalysis(request: RunAnalysisRequest): Promise<RunAnalysisOutput> {
  const { runId, runStartTime } = workflowInfo();
  const input: RunAnalysisInput = { ...request, runId, fence: runStartTime.toISOString() };
  makeFindable(input);
  const prepared = await retrying(
    () => prepare(input),
    (code) => code === "input-changed",
  );
  if (prepared.kind === "done") return finish(prepared.output);

  setCurrentDetails(`Publishing ${prepared.analyzed.staged.rows} rows.`);
  const { save } = activities(prepared.heartbeatTimeoutMs, shortStep);
  return finish(await retrying(() => save(input, prepared.analyzed)));
}

/** As it was asked for, right or wrong: a run that fails on its first step is looked for, too. */
function makeFindable({ dataset, date }: RunAnalysisInput): void {
  if (!isShortText(dataset) || !isShortText(date)) return;
  upsertSearchAttributes([
    { key: { name: runAttributes.dataset, type: "KEYWORD" }, value: dataset },
    { key: { name: runAttributes.date, type: "KEYWORD" }, value: date },
  ]);
}

function isShortText(value: unknown): boolean {
  return typeof value === "string" && value.length <= 100;
}

type Prepared =
  | { readonly kind: "done"; readonly output: RunAnalysisOutput }
  | { readonly kind: "analyzed"; readonly analyzed: AnalyzedDataset; readonly heartbeatTimeoutMs: number };

/** Everything before publication. An input that changes midway sends it back to the start: its pins are worth nothing. */
async function prepare(input: RunAnalysisInput): Promise<Prepared> {
  setCurrentDetails("Looking at the source and at what is published.");
  const { inspect } = activities(defaultHeartbeatTimeoutMs, shortStep);
  const inspected = await retrying(() => inspect(input));
  if (inspected.kind === "done") return inspected;

  const { heartbeatTimeoutMs, timeLimitSeconds } = inspected.limits;
  setCurrentDetails(`Pinning ${inspected.inputs.length} input file(s).`);
  const { load } = activities(heartbeatTimeoutMs, longestLoad);
  const loaded = await retrying(() => load(input, inspected));
  if (loaded.kind === "done") return loaded;

  setCurrentDetails(`Calculating from ${loaded.inputs.reduce((sum, file) => sum + file.sizeBytes, 0)} bytes.`);
  const { analyze } = activities(heartbeatTimeoutMs, timeLimitSeconds * 1000 + analyzeMarginMs);
  const analyzed = await retrying(() => analyze(input, loaded));
  return { kind: "analyzed", analyzed, heartbeatTimeoutMs };
}

function finish(output: RunAnalysisOutput): RunAnalysisOutput {
  setCurrentDetails(`**${output.outcome}**: ${output.rows} rows, manifest \`${output.manifest.key}\``);
  return output;
}

/** Temporal retries a lost worker or a missed heartbeat; failures with a code are not retried by it. */
function activities(heartbeatTimeoutMs: number, startToCloseTimeout: Duration) {
  return proxyActivities<RunAnalysisActivities>({
    startToCloseTimeout,
    scheduleToCloseTimeout: longestStep,
    heartbeatTimeout: heartbeatTimeoutMs,
    // A canceled run has ended when its calculation has, so that the next one does not meet it.
    cancellationType: "WAIT_CANCELLATION_COMPLETED",
    retry: { initialInterval: "200 milliseconds", backoffCoefficient: 2, maximumInterval: "3 seconds" },
  });
}
