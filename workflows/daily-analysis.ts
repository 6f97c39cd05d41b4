import { ApplicationFailure, proxyActivities, setCurrentDetails, workflowInfo } from "@temporalio/workflow";
import type { DailyAnalysisActivities } from "../activities/daily-analysis-activities.ts";
import { type RunPriority, runPriorities } from "../src/domain/value-object/run-priority.ts";
import type { DailyOutcome, DailyReport, DailyRequest } from "../src/usecase/dto/daily-analysis.ts";
import { failedEnd, runCanonically } from "./canonical-run.ts";
import { retrying } from "./retrying.ts";

/** Of the dates that were looked back at: Temporal keeps 20 kB. */
const mostShown = 20;

const shortActivities = proxyActivities<DailyAnalysisActivities>({
  startToCloseTimeout: "10 minutes",
  scheduleToCloseTimeout: "7 days",
  heartbeatTimeout: "10 seconds",
  cancellationType: "WAIT_CANCELLATION_COMPLETED",
  retry: { initialInterval: "200 milliseconds", backoffCoefficient: 2, maximumInterval: "3 seconds" },
  priority: runPriorities.due,
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
    dates.push(await runDate(dataset, date, runPriorities.due));
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
    return finding === "changed" ? await runDate(dataset, date, runPriorities.late) : { date, outcome: finding };
  } catch (error) {
    return { date, ...failedEnd(error) };
  }
}

/** A daily run that is terminated leaves to others what they may have joined. */
async function runDate(dataset: string, date: string, priority: RunPriority): Promise<DailyOutcome> {
  const end = await runCanonically({
    dataset,
    date,
    priority,
    parentClosePolicy: "ABANDON",
    staticSummary: `${dataset} ${date}, daily`,
  });
  return { date, ...end };
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
