import type { ListedSchedule, ScheduleChange, ScheduleReport } from "../../dto/schedule-report.ts";

/** Keeps one schedule for each definition that has a `schedule`. Only what it has made itself is changed or deleted. */
export interface ManageSchedulesUseCase {
  /** What is wanted and what is there, by dataset. @throws StoreUnavailable */
  list(): Promise<readonly ListedSchedule[]>;

  /** What `apply` would do, by dataset. @throws StoreUnavailable */
  plan(): Promise<readonly ScheduleChange[]>;

  /**
   * Makes the schedules those of the definitions; may be repeated. A pause and its note stay.
   * @param options `onPlan`: told what will be changed, before it is; `onDone`: told of each change that was made; `signal`:
   * begins no further change once it is aborted, and throws its reason
   * @throws BadRequest when an id is taken by a schedule that is not its own, before anything is changed; StoreUnavailable
   */
  apply(options: {
    readonly dryRun: boolean;
    readonly onPlan?: (changes: readonly ScheduleChange[]) => void;
    readonly onDone?: (change: ScheduleChange) => void;
    readonly signal?: AbortSignal;
  }): Promise<ScheduleReport>;
}
