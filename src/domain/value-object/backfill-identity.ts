import type { RunId } from "./run-id.ts";
import type { TargetDate } from "./target-date.ts";

/** One backfill at a time for a dataset: its id in the orchestrator. */
export function backfillIdOf(dataset: string): string {
  return `backfill/${dataset}`;
}

/** The run of one date within a backfill: the same for every attempt at it. */
export function runIdWithin(backfillRunId: string, date: TargetDate): RunId {
  return `${backfillRunId}_${date.replaceAll("-", "")}` as RunId;
}

/** The run id that the orchestrator knows: of the backfill for a date within one, else the same. */
export function ownerOf(runId: RunId): RunId {
  return runId.replace(/_\d{8}$/, "") as RunId;
}
