import type { DatasetId } from "../../domain/value-object/dataset-id.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import type { IndexedResult, RebuiltIndex } from "../ports/output/result-index.ts";
import type { RunSighting } from "../ports/output/run-orchestrator.ts";
import type { BackfillSighting } from "./backfill.ts";

/**
 * `running`: a run is under way, whatever is published. `failed`: the last run failed, and nothing was published since.
 * `published`: a result is there. `late`: none is, for the newest date whose deadline has passed. `pending`: none is, and
 * none need be yet. `missing`: none is. `off`: none is, and the schedule is not due for the date.
 */
export type DayState = "published" | "running" | "failed" | "late" | "missing" | "pending" | "off";

export type Day = {
  readonly date: TargetDate;
  readonly state: DayState;
  readonly result: IndexedResult | null;
  readonly run: RunSighting | null;
};

/**
 * Of the newest date that is expected by now, for which a schedule is due; older dates that are filled in later never count. `fresh`: it is there.
 * `pending`: it is not, its deadline is still to come, and the date before is there. `late`: the deadline of `date` has
 * passed. `missing`: it is not there, and no deadline says by when it should be.
 */
export type Freshness = {
  readonly state: "fresh" | "pending" | "late" | "missing";
  readonly date: TargetDate;
  /** Local time of the day on which the run is due, such as `2026-02-06 09:00 Europe/Berlin`. */
  readonly deadline: string | null;
};

export type DatasetStatus = {
  readonly dataset: DatasetId;
  readonly title: string;
  readonly from: TargetDate;
  readonly to: TargetDate;
  /** In order. Days that never were in the dataset's zone are left out. */
  readonly days: readonly Day[];
  readonly counts: Readonly<Record<DayState, number>>;
  /** Dates with a result in the range, those that run again or failed since as well. */
  readonly results: number;
  /** The last publication of any date. */
  readonly lastSuccess: Pick<IndexedResult, "date" | "publishedAt"> | null;
  /** Nothing where neither a schedule nor a deadline expects a date. */
  readonly freshness: Freshness | null;
  /** The one that is under way; nothing where none is, or where Temporal was not asked. */
  readonly backfill: BackfillSighting | null;
};

export type StatusReport = {
  readonly at: string;
  /** `asked`: whether running, failed and backfills are known. */
  readonly temporal: { readonly asked: boolean; readonly message: string | null };
  readonly datasets: readonly DatasetStatus[];
};

export type RebuildReport = readonly (RebuiltIndex & { readonly dataset: DatasetId })[];
