import { randomUUID } from "node:crypto";
import type { RunAnalysisInput } from "../../usecase/dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../../usecase/dto/run-analysis-output.ts";
import type { RunAnalysisUseCase, StepControl } from "../../usecase/ports/input/run-analysis-usecase.ts";

/**
 * One run from the environment: DATASET, TARGET_DATE, and where given MODE, ADOPT, RUN_ID and FENCE. Without RUN_ID and FENCE
 * the run is one of its own that begins now.
 */
export async function runJob(
  useCase: RunAnalysisUseCase,
  env: NodeJS.ProcessEnv,
  now: () => Promise<Date>,
  control: StepControl = {},
): Promise<RunAnalysisOutput> {
  const input: RunAnalysisInput = {
    dataset: env["DATASET"] ?? "",
    date: env["TARGET_DATE"] ?? "",
    mode: env["MODE"] ?? "",
    runId: env["RUN_ID"] || randomUUID(),
    fence: env["FENCE"] || (await now()).toISOString(),
    adopt: env["ADOPT"] === "true",
  };
  return useCase.run(input, control);
}
