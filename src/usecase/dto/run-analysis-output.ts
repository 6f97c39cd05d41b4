import type { Manifest } from "../../domain/model/analysis-result.ts";

/**
 * `published`: this run's result is, or was, what readers see. `unchanged`: the published result already stands for this
 * input and definition. `skipped`: mode `missing`, and something is published. `superseded`: a later run published first.
 */
export type RunOutcome = "published" | "unchanged" | "skipped" | "superseded";

export type RunAnalysisOutput = {
  readonly dataset: string;
  readonly date: string;
  readonly outcome: RunOutcome;
  /** Rows of the result that the manifest describes. */
  readonly rows: number;
  /** Of what is published after the run. */
  readonly manifest: Manifest;
};
