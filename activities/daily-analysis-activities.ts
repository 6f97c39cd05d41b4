import { ApplicationFailure } from "@temporalio/activity";
import type { DailyDates, DailyRequest, FollowedRun, LateFinding } from "../src/usecase/dto/daily-analysis.ts";
import type { DailyAnalysisUseCase } from "../src/usecase/ports/input/daily-analysis-usecase.ts";
import { step } from "./step.ts";

/** The use case as Temporal activities. Names and shapes are a contract with running workflows. */
export interface DailyAnalysisActivities {
  dailyDates(request: DailyRequest & { readonly nominalTime: string }): Promise<DailyDates>;
  inspectLate(request: {
    readonly dataset: string;
    readonly date: string;
    readonly runId: string;
  }): Promise<LateFinding>;
  /** Fails, to be tried again by Temporal, as long as the run is under way. */
  followRun(request: {
    readonly dataset: string;
    readonly date: string;
  }): Promise<Exclude<FollowedRun, { readonly status: "running" }>>;
}

export function createDailyAnalysisActivities(useCase: DailyAnalysisUseCase): DailyAnalysisActivities {
  return {
    dailyDates: (request) => step(() => useCase.dates(request)),
    inspectLate: (request) => step((control) => useCase.inspectLate(request, control)),
    async followRun(request) {
      const run = await step(() => useCase.follow(request));
      if (run.status !== "running") return run;
      // To wait here would hold a slot that the run itself may need.
      const notYet = ApplicationFailure.create({
        type: "run-under-way",
        message: `the run ${run.runId} of ${request.dataset} ${request.date} is under way`,
        category: "BENIGN",
      });
      notYet.stack = "";
      throw notYet;
    },
  };
}
