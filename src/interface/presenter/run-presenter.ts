import type { RunAnalysisOutput, RunOutcome } from "../../usecase/dto/run-analysis-output.ts";
import { count } from "./result-presenter.ts";

const reasons: Record<RunOutcome, string> = {
  published: "published",
  unchanged: "unchanged: the published result was made from the same input and definition",
  skipped: "skipped: a result is published already",
  superseded: "superseded: a later run has published",
};

/** One line for a terminal. */
export function printRun({ dataset, date, outcome, rows, manifest }: RunAnalysisOutput): string {
  return `${dataset} ${date} ${reasons[outcome]} (${count(rows, "row")}, ${manifest.result.key})`;
}
