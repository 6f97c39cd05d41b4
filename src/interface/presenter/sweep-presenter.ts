import type { Amount, SweepReport, Swept } from "../../usecase/dto/sweep-report.ts";
import { printBytes } from "./bytes-presenter.ts";
import { count, printTable } from "./result-presenter.ts";

/** A sentence and a table for a terminal. */
export function printSweep(
  { dryRun, olderThanHours, staged, unfinished, scratch }: SweepReport,
  width: number,
): string {
  const kinds: readonly (readonly [string, Swept])[] = [
    ["staged runs", staged],
    ["unfinished writes", unfinished],
    ["scratch of this machine", scratch],
  ];
  const removed = kinds.reduce((sum, [, swept]) => sum + swept.removed.count, 0);
  const what = removed === 0 ? "nothing" : count(removed, "leftover");
  const verb = dryRun ? "would remove" : "removed";
  const rows = kinds.map(([name, swept]) => [name, ...[swept.removed, swept.live, swept.young].map(printAmount)]);
  return [
    `${verb} ${what} older than ${count(olderThanHours, "hour")}`,
    printTable(["left behind", verb, "kept: in use", "kept: too young"], rows, width),
  ].join("\n");
}

function printAmount({ count: number, sizeBytes }: Amount): string {
  const amount = number.toLocaleString("en");
  return number === 0 || sizeBytes === null ? amount : `${amount} (${printBytes(sizeBytes)})`;
}
