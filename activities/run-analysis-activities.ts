import type { RunAnalysisInput } from "../src/usecase/dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../src/usecase/dto/run-analysis-output.ts";
import type { AnalyzedDataset, Inspected, Loaded, LoadedDataset } from "../src/usecase/dto/run-steps.ts";
import type { RunAnalysisUseCase } from "../src/usecase/ports/input/run-analysis-usecase.ts";
import { step } from "./step.ts";

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
