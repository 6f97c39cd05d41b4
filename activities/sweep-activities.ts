import type { SweepReport } from "../src/usecase/dto/sweep-report.ts";
import type { SweepRequest } from "../src/usecase/dto/sweep-request.ts";
import type { SweepUseCase } from "../src/usecase/ports/input/sweep-usecase.ts";
import { step } from "./step.ts";

/** The use case as a Temporal activity. Its name and shapes are a contract with running workflows. */
export interface SweepActivities {
  sweep(request: SweepRequest): Promise<SweepReport>;
}

export function createSweepActivities(useCase: SweepUseCase): SweepActivities {
  return { sweep: (request) => step((control) => useCase.sweep(request, control)) };
}
