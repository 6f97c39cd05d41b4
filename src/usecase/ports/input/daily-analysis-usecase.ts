import type { DailyDates, DailyRequest, FollowedRun, LateFinding } from "../../dto/daily-analysis.ts";

/** What a daily run decides and sees. The runs themselves are those of `RunAnalysisUseCase`. */
export interface DailyAnalysisUseCase {
  /**
   * The dates that a daily run is for, by the calendar of the dataset's zone.
   * @param request `nominalTime`: the time that the schedule named, ISO 8601, however late it is now
   * @throws BadRequest, UnknownDataset
   */
  dates(request: DailyRequest & { readonly nominalTime: string }): Promise<DailyDates>;

  /**
   * Compares the inputs of a date with those of its published result, and nothing else: a changed definition is no reason
   * to run.
   * @throws BadRequest, UnknownDataset, SourceUnavailable, StoreUnavailable
   */
  inspectLate(
    request: { readonly dataset: string; readonly date: string; readonly runId: string },
    control?: { readonly signal?: AbortSignal },
  ): Promise<LateFinding>;

  /** The last run of a date, as it stands. @throws BadRequest, StoreUnavailable when the orchestrator is away */
  follow(request: { readonly dataset: string; readonly date: string }): Promise<FollowedRun>;
}
