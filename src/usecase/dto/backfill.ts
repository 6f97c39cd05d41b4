import { BadRequest, type FailureCode } from "../../domain/model/failure.ts";
import { isWindow, largestWindow } from "../../domain/value-object/backfill-window.ts";
import { type DatasetId, parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { type DateRange, parseDateRange } from "../../domain/value-object/date-range.ts";
import { parseRunMode, type RunMode } from "../../domain/value-object/run-mode.ts";
import type { RunOutcome } from "./run-analysis-output.ts";

/** What a person asks for, as it comes over the wire. */
export type BackfillRequest = {
  readonly dataset: string;
  readonly from: string;
  readonly to: string;
  /** Dates at a time. Default: 4. */
  readonly window?: number;
  readonly mode?: string;
  /** Of a plan: the backfill refuses when the world has moved since. */
  readonly planHash?: string;
};

export type ParsedBackfill = DateRange & {
  readonly dataset: DatasetId;
  readonly window: number;
  readonly mode: RunMode;
  readonly planHash?: string;
};

const defaultWindow = 4;

/** @throws BadRequest with the first field that is wrong */
export function parseBackfillRequest(request: BackfillRequest): ParsedBackfill {
  const { window, mode, planHash } = request ?? {};
  return {
    dataset: parseDatasetId(request?.dataset),
    ...parseDateRange(request.from, request.to),
    window: parseWindow(window ?? defaultWindow),
    mode: parseRunMode(mode),
    ...(planHash === undefined || planHash === null ? {} : { planHash: parseHash(planHash) }),
  };
}

/** @throws BadRequest unless it is a whole number from 1 to 50 */
export function parseWindow(value: unknown): number {
  if (isWindow(value)) return value;
  throw new BadRequest(`window must be a number of dates from 1 to ${largestWindow}, got ${JSON.stringify(value)}`);
}

function parseHash(value: unknown): string {
  if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return value;
  throw new BadRequest(`the hash of a plan has 64 hex digits, got ${JSON.stringify(value)}`);
}

/** How a date of a backfill ended. `no-input`: the source has nothing for it, which is no failure of a backfill. */
export type DateOutcome = RunOutcome | "no-input" | "failed";

export type BackfillCounts = Readonly<Record<DateOutcome, number>>;

export type FailedDate = { readonly date: string; readonly code: FailureCode; readonly message: string };

export type BackfillProgress = {
  readonly dataset: string;
  readonly from: string;
  readonly to: string;
  readonly mode: string;
  readonly window: number;
  readonly state: "starting" | "running" | "paused" | "canceled" | "completed" | "failed";
  /** Dates of the range. */
  readonly total: number;
  /** Dates that have ended, however. */
  readonly done: number;
  readonly counts: BackfillCounts;
  /** The first ones; `counts.failed` says how many there are. */
  readonly failures: readonly FailedDate[];
};

/** A backfill that has not ended. */
export type BackfillSighting = {
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  /** Nothing when no worker tells in time. */
  readonly progress: BackfillProgress | null;
};

/** The last progress is the report. */
export type BackfillReport = BackfillProgress;

/** What the workflow needs of the definition and of the worker. */
export type BackfillLimits = {
  readonly window: number;
  readonly mode: RunMode;
  readonly total: number;
  readonly timeLimitSeconds: number;
  readonly heartbeatTimeoutMs: number;
};

/** Consecutive dates, with the identity of the backfill that wants them. */
export type DaysOrder = {
  readonly dataset: string;
  readonly from: string;
  readonly count: number;
  readonly mode: RunMode;
  /** Of the backfill, and with the date of each of its runs. */
  readonly runId: string;
  readonly fence: string;
};

/** What became of the first `done` dates of an order. */
export type DaysReport = {
  readonly done: number;
  readonly counts: Readonly<Record<RunOutcome | "no-input", number>>;
  /** Dates that need a run of their own: large, failed, or wanted by a run that is under way. */
  readonly own: readonly string[];
};
