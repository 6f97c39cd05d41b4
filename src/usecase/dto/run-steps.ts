import type { StagedResult, Steps } from "../../domain/model/analysis-result.ts";
import type { InspectedInput, PinnedInput } from "../../domain/value-object/fingerprint.ts";
import type { RunAnalysisOutput } from "./run-analysis-output.ts";

/** What an orchestrator needs to give a step its time-outs. */
export type RunLimits = {
  /** Of the calculation. */
  readonly timeLimitSeconds: number;
  readonly heartbeatTimeoutMs: number;
};

/** The answer of `inspect` and `load`: nothing to do, with the reason in the output, or the reference for the next step. */
export type Inspected =
  | { readonly kind: "done"; readonly output: RunAnalysisOutput }
  | {
      readonly kind: "inspected";
      readonly inputs: readonly InspectedInput[];
      readonly limits: RunLimits;
      readonly steps: Pick<Steps, "inspect">;
    };

export type Loaded =
  | { readonly kind: "done"; readonly output: RunAnalysisOutput }
  | ({ readonly kind: "loaded" } & LoadedDataset);

/** The pinned input: a reference, never rows. */
export type LoadedDataset = {
  readonly inputs: readonly PinnedInput[];
  readonly steps: Pick<Steps, "inspect" | "load">;
};

/** The audited result that is not published yet: a reference, never rows. */
export type AnalyzedDataset = Omit<LoadedDataset, "steps"> & { readonly staged: StagedResult; readonly steps: Steps };
