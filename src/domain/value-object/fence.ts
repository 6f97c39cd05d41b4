import { BadRequest } from "../model/failure.ts";
import type { RunId } from "./run-id.ts";

/** The start of the run that owns the intent, ISO 8601 in UTC with milliseconds. A later run has a larger fence. */
export type Fence = string & { readonly Fence: never };

/** @throws BadRequest unless the text is an instant, such as `2026-02-05T06:00:00.000Z`. */
export function parseFence(text: unknown): Fence {
  const instant =
    typeof text === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) ? new Date(text) : undefined;
  if (instant === undefined || Number.isNaN(instant.getTime())) {
    throw new BadRequest(
      `fence must be an instant such as 2026-02-05T06:00:00.000Z, got ${JSON.stringify(text) ?? "nothing"}`,
    );
  }
  return instant.toISOString() as Fence;
}

/** Fixed width, sorts as the fence does, and fits a file name: `20260205T060000000Z`. */
export function fenceKey(fence: Fence): string {
  return fence.replaceAll(/[-:.]/g, "");
}

export type Intent = { readonly fence: Fence; readonly runId: RunId };

/** Orders intents by fence, then by run id, so that two runs of one instant still have one winner. */
export function isOlder(one: Intent, other: Intent): boolean {
  return one.fence === other.fence ? one.runId < other.runId : one.fence < other.fence;
}
