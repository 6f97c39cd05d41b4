import {
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import type { BackfillActivities } from "../activities/backfill-activities.ts";
import { isWindow } from "../src/domain/value-object/backfill-window.ts";
import { addDays } from "../src/domain/value-object/date-range.ts";
import { runAttributes } from "../src/domain/value-object/run-identity.ts";
import { runPriorities } from "../src/domain/value-object/run-priority.ts";
import type { TargetDate } from "../src/domain/value-object/target-date.ts";
import type {
  BackfillLimits,
  BackfillProgress,
  BackfillReport,
  BackfillRequest,
  DateOutcome,
  DaysReport,
} from "../src/usecase/dto/backfill.ts";
import { runCanonically } from "./canonical-run.ts";
import { retrying } from "./retrying.ts";

const progressQuery = defineQuery<BackfillProgress>("progress");
const pauseSignal = defineSignal("pause");
const resumeSignal = defineSignal("resume");
const windowSignal = defineSignal<[number]>("setWindow");

/** What a run of the chain hands to the next one, when nothing is under way. */
type Carried = {
  readonly limits: BackfillLimits;
  readonly cursor: number;
  readonly counts: Record<DateOutcome, number>;
  readonly failures: BackfillProgress["failures"];
  readonly window: number;
  readonly paused: boolean;
};

type Work =
  | { readonly kind: "batch"; readonly start: number; readonly count: number }
  | { readonly kind: "own"; readonly date: string };

const largestBatch = 50;
const keptFailures = 20;
/** Far below the 10,240 events at which Temporal warns: what is under way then adds some hundreds. */
const longHistory = 2_000;
const priority = runPriorities.backfill;
const marginMs = 2 * 60 * 60_000;
const retry = { initialInterval: "200 milliseconds", backoffCoefficient: 2, maximumInterval: "3 seconds" } as const;

/** A range of dates of one dataset, a window of them at a time. Which dates have anything to do is told by the store. */
export async function backfill(request: BackfillRequest, carried?: Carried): Promise<BackfillReport> {
  const { runId, runStartTime } = workflowInfo();
  const fence = runStartTime.toISOString();
  const counts: Record<DateOutcome, number> = carried?.counts ?? {
    published: 0,
    unchanged: 0,
    skipped: 0,
    superseded: 0,
    "no-input": 0,
    failed: 0,
  };
  const failures = [...(carried?.failures ?? [])];
  let limits = carried?.limits;
  let window = carried?.window ?? 0;
  let paused = carried?.paused ?? false;
  let cursor = carried?.cursor ?? 0;
  let ending: "completed" | "failed" | "canceled" | undefined;
  /** Begun, and not taken to their end yet: never more than the window and what its batches hand back. */
  const waiting: Work[] = [];
  const underWay = new Set<Promise<void>>();
  let fault: { readonly error: unknown } | undefined;

  setHandler(progressQuery, progress);
  setHandler(pauseSignal, () => {
    paused = true;
    tell();
  });
  setHandler(resumeSignal, () => {
    paused = false;
    tell();
  });
  setHandler(windowSignal, (wanted) => {
    if (isWindow(wanted)) window = wanted;
    tell();
  });

  try {
    if (limits === undefined) {
      setCurrentDetails("Looking at the request.");
      const { prepareBackfill } = proxyActivities<BackfillActivities>({
        startToCloseTimeout: "1 hour",
        scheduleToCloseTimeout: "7 days",
        heartbeatTimeout: "10 seconds",
        cancellationType: "WAIT_CANCELLATION_COMPLETED",
        priority,
        retry,
      });
      limits = await retrying(() => prepareBackfill(request));
      // A signal that came first has set it already.
      if (window === 0) window = limits.window;
    }
    upsertSearchAttributes([{ key: { name: runAttributes.dataset, type: "KEYWORD" }, value: request.dataset }]);
    tell();
    return await carryOn(limits);
  } catch (error) {
    ending = isCancellation(error) ? "canceled" : "failed";
    throw error;
  }

  async function carryOn({ total, mode }: BackfillLimits): Promise<BackfillReport> {
    const mayBegin = () => fault === undefined && !paused && underWay.size < window && hasWork();
    const isOver = () => underWay.size === 0 && (fault !== undefined || (!paused && !hasWork()) || isDrained());
    const hasWork = () => waiting.length > 0 || (cursor < total && !isLong());
    const isDrained = () => isLong() && waiting.length === 0;
    try {
      for (;;) {
        await condition(() => mayBegin() || isOver());
        if (isOver()) break;
        const work = waiting.shift() ?? nextBatch(total);
        const ended = carryOut(work, mode)
          .catch((error: unknown) => {
            fault ??= { error };
          })
          .finally(() => {
            underWay.delete(ended);
            tell();
          });
        underWay.add(ended);
      }
    } catch (error) {
      // All that is under way has been canceled with this; nothing is left behind.
      await CancellationScope.nonCancellable(() => Promise.all(underWay));
      throw error;
    }
    if (fault !== undefined) throw fault.error;
    if (cursor < total) {
      const state: Carried = { limits: limitsOf(), cursor, counts, failures, window, paused };
      return continueAsNew<typeof backfill>(request, state);
    }
    ending = "completed";
    tell();
    return progress();
  }

  /** Small enough that all of the window has something to do to the end. */
  function nextBatch(total: number): Work {
    const count = Math.max(1, Math.min(largestBatch, Math.ceil((total - cursor) / window)));
    const batch = { kind: "batch", start: cursor, count } as const;
    cursor += count;
    return batch;
  }

  async function carryOut(work: Work, mode: BackfillLimits["mode"]): Promise<void> {
    if (work.kind === "own") return runOwn(work.date, mode);
    const { runDays } = activities(limitsOf());
    const from = dateAt(work.start);
    const order = { dataset: request.dataset, from, count: work.count, mode, runId, fence };
    const report: DaysReport = await retrying(() => runDays(order));
    for (const [outcome, count] of Object.entries(report.counts))
      counts[outcome as keyof typeof report.counts] += count;
    for (const date of report.own) waiting.push({ kind: "own", date });
    const left = work.count - report.done;
    if (left > 0) waiting.unshift({ kind: "batch", start: work.start + report.done, count: left });
  }

  /** As a run with an id, a status and retries of its own; where one is under way already, that one counts. */
  async function runOwn(date: string, mode: BackfillLimits["mode"]): Promise<void> {
    const { dataset } = request;
    const end = await runCanonically({
      dataset,
      date,
      mode,
      priority,
      parentClosePolicy: "REQUEST_CANCEL",
      staticSummary: `${dataset} ${date}, of a backfill`,
    });
    counts[end.outcome] += 1;
    if (end.outcome === "failed" && failures.length < keptFailures) {
      failures.push({ date, code: end.code, message: end.message });
    }
  }

  function progress(): BackfillProgress {
    const { dataset, from, to } = request;
    return {
      dataset,
      from,
      to,
      mode: limits?.mode ?? request.mode ?? "changed",
      window,
      state: ending ?? (limits === undefined ? "starting" : paused ? "paused" : "running"),
      total: limits?.total ?? 0,
      done: Object.values(counts).reduce((sum, count) => sum + count, 0),
      counts,
      failures,
    };
  }

  function tell(): void {
    const { state, done, total } = progress();
    const parts = Object.entries(counts).flatMap(([outcome, count]) => (count > 0 ? [`${count} ${outcome}`] : []));
    setCurrentDetails(`**${state}**: ${done} of ${total} dates${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`);
  }

  function dateAt(index: number): string {
    return addDays(request.from as TargetDate, index);
  }

  function limitsOf(): BackfillLimits {
    if (limits === undefined) throw new Error("nothing runs before the request was looked at");
    return limits;
  }
}

function isLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength > longHistory;
}

function activities({ heartbeatTimeoutMs, timeLimitSeconds }: BackfillLimits) {
  return proxyActivities<BackfillActivities>({
    startToCloseTimeout: timeLimitSeconds * 1000 + marginMs,
    scheduleToCloseTimeout: "7 days",
    heartbeatTimeout: heartbeatTimeoutMs,
    cancellationType: "WAIT_CANCELLATION_COMPLETED",
    priority,
    retry,
  });
}
