import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  executeChild,
  proxyActivities,
  setCurrentDetails,
  sleep,
  workflowInfo,
} from "@temporalio/workflow";
import type { DailyAnalysisActivities } from "../activities/daily-analysis-activities.ts";
import { isFailureCode } from "../src/domain/model/failure.ts";
import { workflowIdOf } from "../src/domain/value-object/run-identity.ts";
import type { DailyOutcome, DailyReport, DailyRequest } from "../src/usecase/dto/daily-analysis.ts";
import { retrying } from "./retrying.ts";
import type { runAnalysis } from "./run-analysis.ts";

/** Temporal's: 1 is served first, 3 is what a run has that says nothing. */
const priorities = { due: { priorityKey: 2 }, late: { priorityKey: 4 } } as const;
/** Who forces a run cancels the one that is under way, and starts another at once. */
const restartedWithin = "2 seconds";

/** Of the dates that were looked back at: Temporal keeps 20 kB. */
const mostShown = 20;

const shortActivities = proxyActivities<DailyAnalysisActivities>({
  startToCloseTimeout: "10 minutes",
  scheduleToCloseTimeout: "7 days",
  heartbeatTimeout: "10 seconds",
  cancellationType: "WAIT_CANCELLATION_COMPLETED",
  retry: { initialInterval: "200 milliseconds", backoffCoefficient: 2, maximumInterval: "3 seconds" },
  priority: priorities.due,
});

const { followRun } = proxyActivities<Pick<DailyAnalysisActivities, "followRun">>({
  startToCloseTimeout: "1 minute",
  scheduleToCloseTimeout: "14 days",
  heartbeatTimeout: "10 seconds",
  retry: { initialInterval: "200 milliseconds", backoffCoefficient: 1.5, maximumInterval: "5 seconds" },
  priority: priorities.due,
});

/**
 * What one day of a schedule is due for, by its nominal time, and a look back at `lateDays` earlier dates. What it runs are
 * the canonical runs: one that is under way is waited for. A late date that fails does not fail the day.
 */
export async function dailyAnalysis(request: DailyRequest): Promise<DailyReport> {
  const { startTime, typedSearchAttributes } = workflowInfo();
  const nominalTime = typedSearchAttributes.get({ name: "TemporalScheduledStartTime", type: "DATETIME" }) ?? startTime;
  const { dataset, dueDates, lateDates } = await retrying(() =>
    shortActivities.dailyDates({ ...request, nominalTime: nominalTime.toISOString() }),
  );
  const dates: DailyOutcome[] = [];
  for (const date of dueDates) {
    setCurrentDetails(`Running ${date}.`);
    dates.push(await runDate(dataset, date, priorities.due));
  }
  const due = summaryOf(dates, []);
  const failed = dates.find((each) => each.outcome === "failed");
  const late: DailyOutcome[] = [];
  for (const date of lateDates) {
    setCurrentDetails(`${due}\n\nLooking back at ${date}.`);
    late.push(await lookBack(dataset, date));
  }
  setCurrentDetails(summaryOf(dates, late));
  const report = { dataset, dates: [...dates, ...late] };
  if (failed !== undefined) throw failedWith(failed, report);
  return report;
}

/** Only what inputs say: a definition that changed restates nothing here. */
async function lookBack(dataset: string, date: string): Promise<DailyOutcome> {
  const { runId } = workflowInfo();
  try {
    const finding = await retrying(() => shortActivities.inspectLate({ dataset, date, runId }));
    return finding === "changed" ? await runDate(dataset, date, priorities.late) : { date, outcome: finding };
  } catch (error) {
    return failureOutcome(date, error);
  }
}

async function runDate(
  dataset: string,
  date: string,
  priority: (typeof priorities)[keyof typeof priorities],
): Promise<DailyOutcome> {
  for (;;) {
    try {
      const { outcome, rows } = await executeChild<typeof runAnalysis>("runAnalysis", {
        workflowId: workflowIdOf(dataset, date),
        args: [{ dataset, date }],
        workflowIdReusePolicy: "ALLOW_DUPLICATE",
        // A daily run that is terminated leaves to others what they may have joined.
        parentClosePolicy: "ABANDON",
        priority,
        staticSummary: `${dataset} ${date}, daily`,
      });
      return { date, outcome, rows };
    } catch (error) {
      if (!isUnderWay(error)) return failureOutcome(date, error);
    }
    const followed = await follow(dataset, date);
    if (followed !== undefined) return followed;
    await sleep("1 second");
  }
}

/** What became of the run that was under way, or nothing when there is none any more. */
async function follow(dataset: string, date: string): Promise<DailyOutcome | undefined> {
  let stopped: string | undefined;
  for (;;) {
    try {
      const run = await retrying(() => followRun({ dataset, date }));
      if (run.status === "unknown") return undefined;
      if (run.status === "completed") return { date, outcome: run.outcome, rows: run.rows };
      const { code, message } = run;
      if (run.status === "failed" || run.runId === stopped) return { date, outcome: "failed", code, message };
      stopped = run.runId;
    } catch (error) {
      return failureOutcome(date, error);
    }
    await sleep(restartedWithin);
  }
}

/** @throws the error when it is no answer: this workflow is canceled, or it is at fault itself */
function failureOutcome(date: string, error: unknown): DailyOutcome {
  if (CancellationScope.current().consideredCancelled) throw error;
  const isOfAnother = error instanceof ChildWorkflowFailure || error instanceof ActivityFailure;
  const cause = isOfAnother ? error.cause : error;
  if (cause instanceof ApplicationFailure && isFailureCode(cause.type)) {
    return { date, outcome: "failed", code: cause.type, message: cause.message };
  }
  if (!isOfAnother) throw error;
  const message = `ended without an answer: ${error.cause?.message ?? error.message}`;
  return { date, outcome: "failed", code: "crashed", message };
}

/** Its class is not among what a workflow may import. */
function isUnderWay(error: unknown): boolean {
  return error instanceof Error && error.name === "WorkflowExecutionAlreadyStartedError";
}

/** As the run itself failed, with all that became of the others. */
function failedWith({ code, message }: Extract<DailyOutcome, { outcome: "failed" }>, report: DailyReport) {
  const failure = ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [report] });
  failure.stack = "";
  return failure;
}

function summaryOf(due: readonly DailyOutcome[], late: readonly DailyOutcome[]): string {
  const notable = late.filter(({ outcome }) => outcome !== "unchanged");
  return [
    ...due.map(describe),
    ...(late.length === 0 ? [] : [`Looked back at ${late.length} date(s), ${late.length - notable.length} unchanged.`]),
    ...notable.slice(0, mostShown).map(describe),
    ...(notable.length > mostShown ? [`… and ${notable.length - mostShown} more, see the result.`] : []),
  ].join("\n\n");
}

function describe(each: DailyOutcome): string {
  if (each.outcome === "failed") return `${each.date} **${each.code}**: ${each.message}`;
  return `${each.date} **${each.outcome}**${"rows" in each ? `: ${each.rows} rows` : ""}`;
}
