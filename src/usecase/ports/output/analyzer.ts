import type { StagedResult } from "../../../domain/model/analysis-result.ts";
import type { PinnedInput } from "../../../domain/value-object/fingerprint.ts";
import type { ParsedRun } from "../../dto/run-analysis-input.ts";
import type { CatalogEntry } from "./dataset-catalog.ts";

export type AnalysisOrder = {
  readonly run: ParsedRun;
  readonly entry: CatalogEntry;
  readonly inputs: readonly PinnedInput[];
};

/** Calculates apart from the process that asks, within the definition's memory and time, and stages the result. */
export interface Analyzer {
  /**
   * The staged result with the outcome of its checks; a result that fails them is staged too, for inspection.
   * @param signal ends the calculation at once
   * @throws InputInvalid, SourceUnavailable, OutOfMemory, TimedOut, Crashed, StoreUnavailable
   */
  analyze(order: AnalysisOrder, signal?: AbortSignal): Promise<StagedResult>;
}
