import type { FailureCode } from "../../domain/model/failure.ts";
import type { Change } from "../../domain/service/change-service.ts";

/**
 * Why a date would be calculated, or not. `failed`: it would be, and its last run failed, with nothing published since.
 * `unreachable`: the source could not be asked about it, so that a run of its own would have to. `no-input`: the source has
 * nothing for it.
 */
export type PlanReason = Change | "failed" | "unreachable" | "no-input";

/** Where a date would be calculated: with others in one step, or, being large, as a run of its own. */
export type PlannedPlace = "batch" | "own-run";

export type PlannedDate = {
  readonly date: string;
  readonly runs: boolean;
  readonly reason: PlanReason;
  /** Of the last run, for the first `failed` dates of a plan; of the source, for `unreachable`. */
  readonly failure: { readonly code: FailureCode; readonly message: string } | null;
  /** Of the input; nothing where the source does not tell. */
  readonly sizeBytes: number | null;
  /** Nothing where the date would not be calculated. */
  readonly place: PlannedPlace | null;
};

/** What mode `changed` would do for each date of a range, as the world was when it was looked at. */
export type Plan = {
  readonly dataset: string;
  readonly from: string;
  readonly to: string;
  /** A sha256 over the range, the definition, what is published and what lies at the source; not over what has failed. */
  readonly hash: string;
  /** `asked`: whether `failed` is known. */
  readonly temporal: { readonly asked: boolean; readonly message: string | null };
  readonly counts: Readonly<Record<PlanReason, number>>;
  /** How many dates would be calculated. */
  readonly runs: number;
  /** Of the dates that would be calculated; nothing where a source does not tell. */
  readonly bytesToRead: number | null;
  readonly dates: readonly PlannedDate[];
};
