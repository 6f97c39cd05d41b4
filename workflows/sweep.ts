import { proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { SweepActivities } from "../activities/sweep-activities.ts";
import type { SweepReport } from "../src/usecase/dto/sweep-report.ts";
import type { SweepRequest } from "../src/usecase/dto/sweep-request.ts";
import { retrying } from "./retrying.ts";

/** Removes what publication and crashes leave behind; the schedule of the same name starts it every day. */
export async function sweep(request: SweepRequest = {}): Promise<SweepReport> {
  const activities = proxyActivities<SweepActivities>({
    startToCloseTimeout: "6 hours",
    scheduleToCloseTimeout: "20 hours",
    heartbeatTimeout: "10 seconds",
    cancellationType: "WAIT_CANCELLATION_COMPLETED",
    retry: { initialInterval: "1 second", backoffCoefficient: 2, maximumInterval: "1 minute" },
  });
  setCurrentDetails("Looking for what was left behind.");
  const report = await retrying(() => activities.sweep(request));
  const { staged, unfinished, scratch } = report;
  const removed = [staged, unfinished, scratch].reduce((sum, kind) => sum + kind.removed.count, 0);
  setCurrentDetails(`**swept**: ${removed} leftover(s) removed`);
  return report;
}
