import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";
import type { LastDay } from "../../dto/schedule-report.ts";

/** When the daily run of a dataset is due: a cron expression in a zone. */
export type DailyTimes = { readonly dataset: DatasetId; readonly schedule: string; readonly timeZone: string };

/** A schedule as it is there. */
export type BookedSchedule = {
  readonly id: string;
  readonly dataset: string;
  /** Whether this service has made it, for the workers that it has now. All others are left alone. */
  readonly isOwn: boolean;
  /** What is not as wanted, in words; empty where nothing is wanted. */
  readonly differences: readonly string[];
  readonly paused: boolean;
  readonly note: string | undefined;
  readonly nextTimes: readonly string[];
  readonly lastDay: Omit<LastDay, "status"> | undefined;
};

/**
 * The schedules that start daily runs: Temporal's. A missed time is made up for, for a year, and no day waits for another.
 * Whether one is paused, and its note, belong to whoever watches over it. Every method throws StoreUnavailable when the
 * server is away.
 */
export interface ScheduleBook {
  idOf(dataset: DatasetId): string;

  /**
   * What is there under the ids of the datasets, and all else that this service has made, by id. What was made in the last
   * seconds for a dataset that is not among them may be missing.
   */
  read(datasets: readonly DatasetId[], wanted: readonly DailyTimes[]): Promise<readonly BookedSchedule[]>;

  /** Creates it, or puts it right. @throws BadRequest when the id is taken by another, or the server knows no such zone */
  put(wanted: DailyTimes): Promise<void>;

  /** @throws BadRequest when it is not the service's own. Nothing happens when it is gone. */
  remove(id: string): Promise<void>;

  statusOf(day: Omit<LastDay, "status">): Promise<LastDay["status"]>;
}
