import { Context } from "@temporalio/activity";
import { toTemporalFailure } from "./failure-translation.ts";

const beatEveryMs = 500;

/**
 * Beats while the step works: a cancel reaches the worker in the answer to a heartbeat.
 * @param details what the next attempt should know, should this one be lost
 */
export async function step<T>(
  work: (control: { readonly signal: AbortSignal }) => Promise<T>,
  details?: () => unknown,
): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(details?.()), beatEveryMs);
  try {
    return await work({ signal: context.cancellationSignal });
  } catch (error) {
    throw context.cancellationSignal.aborted ? context.cancellationSignal.reason : toTemporalFailure(error);
  } finally {
    clearInterval(beat);
  }
}
