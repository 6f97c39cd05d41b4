import { Context } from "@temporalio/activity";
import type { BackfillLimits, BackfillRequest, DaysOrder, DaysReport } from "../src/usecase/dto/backfill.ts";
import type { CarryOutBackfillUseCase } from "../src/usecase/ports/input/carry-out-backfill-usecase.ts";
import { step } from "./step.ts";

/** The worker's share of a backfill as Temporal activities. Names and shapes are a contract with running workflows. */
export interface BackfillActivities {
  prepareBackfill(request: BackfillRequest): Promise<BackfillLimits>;
  runDays(order: DaysOrder): Promise<DaysReport>;
}

export function createBackfillActivities(useCase: CarryOutBackfillUseCase): BackfillActivities {
  return {
    prepareBackfill(request) {
      const { workflowId = "" } = Context.current().info.workflowExecution ?? {};
      return step(({ signal }) => useCase.prepare(request, workflowId, signal));
    },
    runDays(order) {
      const resume = Context.current().info.heartbeatDetails as DaysReport | undefined;
      let report = resume;
      const work = ({ signal }: { readonly signal: AbortSignal }) =>
        useCase.runDays(order, {
          signal,
          ...(resume ? { resume } : {}),
          onProgress: (now) => {
            report = now;
          },
        });
      return step(work, () => report);
    },
  };
}
