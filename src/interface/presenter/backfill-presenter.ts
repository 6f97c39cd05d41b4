import type { BackfillProgress } from "../../usecase/dto/backfill.ts";
import { count, printTable } from "./result-presenter.ts";

/** The state of a backfill, or its report, for a terminal. */
export function printBackfill(progress: BackfillProgress, width: number): string {
  const { dataset, from, to, state, done, total, failures, counts, window } = progress;
  const more = counts.failed - failures.length;
  const atATime = state === "running" || state === "paused" ? `, ${count(window, "date")} at a time` : "";
  return [
    `${dataset} ${from} to ${to} ${state}: ${done.toLocaleString("en")} of ${count(total, "date")}${atATime}`,
    `${printCounts(progress) || "nothing yet"}`,
    ...(failures.length === 0
      ? []
      : [
          printTable(
            ["failed", "code", "message"],
            failures.map(({ date, code, message }) => [date, code, message]),
            width,
          ),
        ]),
    ...(more > 0 ? [`… and ${count(more, "more failure")}`] : []),
  ].join("\n");
}

/** `28 published, 2 failed`. */
export function printCounts({ counts }: Pick<BackfillProgress, "counts">): string {
  return Object.entries(counts)
    .flatMap(([outcome, number]) => (number > 0 ? [`${number.toLocaleString("en")} ${outcome}`] : []))
    .join(", ");
}
