import type { FailureCode } from "../../domain/model/failure.ts";
import type { RunOutcome } from "./run-analysis-output.ts";

/** What a schedule or a person asks for, as it comes over the wire. */
export type DailyRequest = {
  readonly dataset: string;
  /** In place of the date that follows from the nominal time. */
  readonly date?: string;
};

export type DailyDates = {
  readonly dataset: string;
  /** The day's own date, and behind it those that no day was due for, since the clocks had left out the schedule's time. */
  readonly dueDates: readonly string[];
  /** Where changed inputs are looked for, the latest first. */
  readonly lateDates: readonly string[];
};

/** What a look at an earlier date says. Only `changed` asks for a run, which decides where the look could not. */
export type LateFinding =
  | "changed"
  | "unchanged"
  /** Nothing is published: left to plan and backfill. */
  | "missing"
  /** The result was made by another definition than today's: left to plan and backfill. */
  | "definition-changed"
  /** The source has nothing any more. */
  | "input-missing";

/** The last run of a date, seen from outside. */
export type FollowedRun =
  | { readonly status: "unknown" }
  | { readonly status: "running"; readonly runId: string }
  | { readonly status: "completed"; readonly runId: string; readonly outcome: RunOutcome; readonly rows: number }
  | {
      readonly status: "failed" | "canceled" | "terminated";
      readonly runId: string;
      readonly code: FailureCode;
      readonly message: string;
    };

export type DailyOutcome =
  | { readonly date: string; readonly outcome: RunOutcome; readonly rows: number }
  | { readonly date: string; readonly outcome: Exclude<LateFinding, "changed"> }
  | { readonly date: string; readonly outcome: "failed"; readonly code: FailureCode; readonly message: string };

/** The dates that were due, then those that were looked back at. */
export type DailyReport = { readonly dataset: string; readonly dates: readonly DailyOutcome[] };
