import type { BackfillLimits, BackfillRequest, DaysOrder, DaysReport } from "../../dto/backfill.ts";

export type DaysControl = {
  readonly signal?: AbortSignal;
  /** What an earlier attempt had done. */
  readonly resume?: DaysReport;
  /** Told after each date. */
  readonly onProgress?: (report: DaysReport) => void;
};

/** The worker's share of a backfill. */
export interface CarryOutBackfillUseCase {
  /**
   * @param id that the orchestrator knows the backfill by
   * @throws BadRequest, also when the plan does not hold any more, or the id is not the dataset's; UnknownDataset,
   * SourceUnavailable, StoreUnavailable
   */
  prepare(request: BackfillRequest, id: string, signal?: AbortSignal): Promise<BackfillLimits>;

  /**
   * Takes the dates in order, each through the same steps as any run, and stops early when it has taken long enough, so
   * that others get their turn. What fails is left to a run of its own. May be carried out twice, or at the same time by
   * two workers, with the same outcome.
   * @throws UnknownDataset, or the signal's reason
   */
  runDays(order: DaysOrder, control?: DaysControl): Promise<DaysReport>;
}
