import type { HistoryReport, PastResult } from "../../usecase/dto/history-report.ts";
import { printBytes } from "./bytes-presenter.ts";
import { count, printTable } from "./result-presenter.ts";

/** A sentence and a table for a terminal. */
export function printHistory({ dataset, date, results, more }: HistoryReport, width: number): string {
  const head = ["published at", "", "rows", "size", "definition", "changed", "run"];
  const rows = results.map((result) => [
    result.publishedAt,
    result.outcome,
    result.rows,
    printBytes(result.sizeBytes),
    result.definitionDigest.slice(0, 8),
    changesOf(result),
    result.runId,
  ]);
  return [
    `${dataset} ${date}: ${count(results.length, "result")}${more ? ", and older ones: --limit shows them" : ""}`,
    printTable(head, rows, width),
  ].join("\n");
}

/** Against the result that it replaced. */
function changesOf({ inputs, definition }: PastResult): string {
  if (inputs === null) return "first";
  const changes = [
    ...(inputs === "different" ? ["inputs"] : inputs === "unknown" ? ["inputs?"] : []),
    ...(definition === "different" ? ["definition"] : []),
  ];
  return changes.length === 0 ? "nothing" : changes.join(", ");
}
