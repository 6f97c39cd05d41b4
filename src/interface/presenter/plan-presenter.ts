import type { Plan, PlannedDate, PlanReason } from "../../usecase/dto/plan.ts";
import { printBytes } from "./bytes-presenter.ts";
import { count, printTable } from "./result-presenter.ts";

const shownDates = 20;

const reasons: Readonly<Record<PlanReason, string>> = {
  missing: "nothing is published",
  "input-changed": "the input has changed",
  "input-unknown": "the source does not tell whether it has changed",
  "definition-changed": "the definition has changed",
  failed: "its last run failed",
  unreachable: "the source cannot be asked",
  unchanged: "unchanged",
  "no-input": "nothing at the source",
};

const places = { batch: "with others", "own-run": "by itself" } as const;

/** Counts, the first dates that would be calculated, and what to say to a backfill, for a terminal. */
export function printPlan(plan: Plan, width: number): string {
  const { dataset, from, to, hash, temporal, counts, runs, bytesToRead, dates } = plan;
  const bytes = bytesToRead === null ? "of unknown size" : `of ${printBytes(bytesToRead)}`;
  const known = Object.entries(counts) as [PlanReason, number][];
  const toRun = dates.filter((date) => date.runs);
  const more = toRun.length - shownDates;
  return [
    `${dataset} ${from} to ${to}: ${count(runs, "date")} of ${dates.length.toLocaleString("en")} would be calculated, from input ${bytes}`,
    printTable(
      ["dates", "would be", "because"],
      known
        .filter(([, number]) => number > 0)
        .map(([reason, number]) => [number, isRun(reason) ? "calculated" : "left", reasons[reason]]),
      width,
    ),
    ...(toRun.length === 0
      ? []
      : [printTable(["date", "because", "bytes", "runs"], toRun.slice(0, shownDates).map(rowOf), width)]),
    ...(more > 0 ? [`… and ${count(more, "more date")}: --json lists all`] : []),
    ...(temporal.asked
      ? []
      : [`which dates have failed is not known: ${temporal.message ?? "Temporal was not asked"}`]),
    `plan ${hash}`,
  ].join("\n");
}

function rowOf({ date, reason, failure, sizeBytes, place }: PlannedDate) {
  return [date, becauseOf(reason, failure), sizeBytes, place === null ? "" : places[place]];
}

function becauseOf(reason: PlanReason, failure: PlannedDate["failure"]): string {
  if (failure === null) return reasons[reason];
  return `${reasons[reason]}: ${reason === "failed" ? failure.code : failure.message}`;
}

function isRun(reason: PlanReason): boolean {
  return reason !== "unchanged" && reason !== "no-input";
}
