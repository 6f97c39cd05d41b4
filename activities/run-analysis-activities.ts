import { Context } from "@temporalio/activity";
import type { RunAnalysisInput } from "../src/usecase/dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../src/usecase/dto/run-analysis-output.ts";
import type { AnalyzedDataset, Inspected, Loaded, LoadedDataset } from "../src/usecase/dto/run-steps.ts";
import type { RunAnalysisUseCase, StepControl } from "../src/usecase/ports/input/run-analysis-usecase.ts";
import { toTemporalFailure } from "./failure-translation.ts";

/** The steps of the use case as Temporal activities. Names and shapes are a contract with running workflows. */
export interface RunAnalysisActivities {
  inspect(input: RunAnalysisInput): Promise<Inspected>;
  load(input: RunAnalysisInput, inspected: Extract<Inspected, { kind: "inspected" }>): Promise<Loaded>;
  analyze(input: RunAnalysisInput, loaded: LoadedDataset): Promise<AnalyzedDataset>;
  save(input: RunAnalysisInput, analyzed: AnalyzedDataset): Promise<RunAnalysisOutput>;
}

export function createRunAnalysisActivities(useCase: RunAnalysisUseCase): RunAnalysisActivities {
  return {
    inspect: (input) => step((control) => useCase.inspect(input, control)),
    load: (input, inspected) => step((control) => useCase.load(input, inspected, control)),
    analyze: (input, loaded) => step((control) => useCase.analyze(input, loaded, control)),
    save: (input, analyzed) => step((control) => useCase.save(input, analyzed, control)),
  };
}

const beatEveryMs = 500;

/** Beats while the step works: a cancel reaches the worker in the answer to a heartbeat. */
async function step<T>(work: (control: StepControl) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), beatEveryMs);
  try {
    return await work({ signal: context.cancellationSignal });
  } catch (error) {
    throw context.cancellationSignal.aborted ? context.cancellationSignal.reason : toTemporalFailure(error);
  } finally {
    clearInterval(beat);
  }
}
