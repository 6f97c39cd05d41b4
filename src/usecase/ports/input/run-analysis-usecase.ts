import type { RunAnalysisInput } from "../../dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../../dto/run-analysis-output.ts";
import type { AnalyzedDataset, Inspected, Loaded, LoadedDataset } from "../../dto/run-steps.ts";

export type RunStep = "inspect" | "load" | "analyze" | "save";

export type StepControl = {
  /** Ends the step; work that runs elsewhere is really stopped. */
  readonly signal?: AbortSignal;
  /** Told when a step of `run` begins. */
  readonly onStep?: (step: RunStep) => void;
};

/**
 * Publishes the result of one dataset and one date, exactly once under one run id. Every step may be executed twice, or
 * at the same time by two workers, with the same outcome.
 */
export interface RunAnalysisUseCase {
  /**
   * Looks at the source and at what is published; reads little.
   * @throws BadRequest, UnknownDataset, InputMissing, SourceUnavailable, StoreUnavailable
   */
  inspect(input: RunAnalysisInput, control?: StepControl): Promise<Inspected>;

  /**
   * Pins the input, so that every later step and retry reads the same bytes.
   * @throws InputMissing, InputInvalid, InputChanged, SourceUnavailable, StoreUnavailable
   */
  load(
    input: RunAnalysisInput,
    inspected: Extract<Inspected, { kind: "inspected" }>,
    control?: StepControl,
  ): Promise<Loaded>;

  /**
   * Contract, analysis, audit; the result is staged, and no reader is told.
   * @throws InputInvalid, ChecksFailed, InputChanged, OutOfMemory, TimedOut, Crashed, StoreUnavailable
   */
  analyze(input: RunAnalysisInput, loaded: LoadedDataset, control?: StepControl): Promise<AnalyzedDataset>;

  /**
   * Publishes what was staged.
   * @throws StoreUnavailable, StoreUnsafe
   */
  save(input: RunAnalysisInput, analyzed: AnalyzedDataset, control?: StepControl): Promise<RunAnalysisOutput>;

  /** The three steps after `inspect`. */
  goOn(
    input: RunAnalysisInput,
    inspected: Extract<Inspected, { kind: "inspected" }>,
    control?: StepControl,
  ): Promise<RunAnalysisOutput>;

  /** The four steps in order. */
  run(input: RunAnalysisInput, control?: StepControl): Promise<RunAnalysisOutput>;
}
