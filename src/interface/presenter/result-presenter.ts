import Table from "cli-table3";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import type { Cell, ShownResult } from "../../usecase/ports/input/show-result-usecase.ts";
import { printJson } from "./json-presenter.ts";

const plain = { head: [], border: [], compact: true };

/** A table for a terminal of the given width; values that do not fit end in an ellipsis. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[], width: number): string {
  const texts = rows.map((row) => row.map(cellText));
  const natural = head.map((name, index) => Math.max(name.length, ...texts.map((row) => row[index]?.length ?? 0)) + 2);
  const table = new Table({
    head: [...head],
    colWidths: fit(natural, width),
    colAligns: head.map((_, index) => (rows.some((row) => isNumber(row[index])) ? "right" : "left")),
    style: plain,
  });
  table.push(...texts);
  return table.toString();
}

/** The rows of a result and what its manifest says, for a terminal. */
export function printResult({ manifest, rows }: ShownResult, width: number): string {
  const columns = manifest.result.columns.map((column) => column.name);
  const body = rows.map((row) => columns.map((column) => row[column] ?? null));
  const more = manifest.result.rows - rows.length;
  return [
    `${manifest.dataset} ${manifest.date}: ${count(manifest.result.rows, "row")} from ${count(manifest.rowsRead, "row")} of input`,
    printTable(columns, body, width),
    ...(more > 0 ? [`… and ${count(more, "more row")}: --limit shows them`] : []),
    ...printFacts(manifest),
  ].join("\n");
}

function printFacts(manifest: Manifest): readonly string[] {
  return [
    `published ${manifest.publishedAt} by run ${manifest.runId}`,
    `manifest  ${manifest.key}`,
    ...manifest.checks.map((check) => `check     ${check.name}: ${check.observed}, expected ${check.expected}`),
    ...manifest.notes.map((note) => `note      ${note}`),
  ];
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function cellText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "object" ? printJson(cell) : String(cell);
}

function isNumber(cell: Cell | undefined): boolean {
  return typeof cell === "number" || typeof cell === "bigint";
}

/** Narrows the widest columns until the table fits; a column keeps 6 characters. */
function fit(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const frame = widths.length + 1;
  while (widths.reduce((sum, columnWidth) => sum + columnWidth, frame) > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= 6) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}
