import { type Client, ScheduleAlreadyRunning, type ScheduleOptions } from "@temporalio/client";

/** Of the schedule, and of the workflows that it starts, to which Temporal adds the time. */
const id = "sweep";

/** `kept`: it was there, and now starts the sweep of today's service. */
export type EnsuredSchedule = { readonly id: string; readonly outcome: "created" | "kept" };

/**
 * Sweeps every day, one at a time. On a schedule that is there only what it starts is put right: its times and whether it
 * is paused belong to whoever runs the namespace.
 */
export async function ensureSweepSchedule(client: Client, taskQueue: string): Promise<EnsuredSchedule> {
  const action = {
    type: "startWorkflow",
    workflowType: "sweep",
    workflowId: id,
    taskQueue,
    staticSummary: "removes what was left behind",
  } as const;
  const options: ScheduleOptions = {
    scheduleId: id,
    spec: { calendars: [{ hour: 3, minute: 30 }], timezone: "UTC", jitter: "30 minutes" },
    action,
    // A sweep that was missed is made up for by the next one.
    policies: { overlap: "SKIP", catchupWindow: "1 hour" },
  };
  try {
    await client.schedule.create(options);
    return { id, outcome: "created" };
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule.getHandle(id).update((present) => ({ ...present, action }));
    return { id, outcome: "kept" };
  }
}
