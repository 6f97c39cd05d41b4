import type { RunState } from "../ports/output/run-orchestrator.ts";

/** What `apply` does to one schedule, or would do. `refuse`: its id is taken by a schedule that is not this service's. */
export type ScheduleChange = {
  readonly id: string;
  readonly dataset: string;
  readonly action: "create" | "update" | "delete" | "keep" | "refuse";
  /** What is not as the definition has it, or what keeps it from being so. */
  readonly reasons: readonly string[];
};

export type ScheduleReport = { readonly dryRun: boolean; readonly changes: readonly ScheduleChange[] };

/** The day that a schedule started last. */
export type LastDay = {
  readonly nominalTime: string;
  readonly workflowId: string;
  /** Nothing when Temporal has forgotten it. */
  readonly status: RunState["status"] | null;
};

export type ListedSchedule = {
  readonly id: string;
  readonly dataset: string;
  /** Of the definition; nothing when it has none any more. */
  readonly schedule: string | null;
  readonly timeZone: string | null;
  /** What `apply` would do. */
  readonly action: ScheduleChange["action"];
  readonly reasons: readonly string[];
  readonly paused: boolean;
  readonly note: string | null;
  /** ISO 8601 in UTC, the next first; none while it is paused. */
  readonly nextTimes: readonly string[];
  readonly last: LastDay | null;
};
