import { ApplicationFailure, CancelledFailure, log } from "@temporalio/activity";
import { AnalysisFailure, Crashed } from "../src/domain/model/failure.ts";

/**
 * The failure's code becomes Temporal's type. All are non-retryable here: how often a code is retried is decided by the
 * workflow, since one activity policy cannot tell codes apart. Temporal itself retries what is no answer: a lost worker.
 */
export function toTemporalFailure(error: unknown): unknown {
  if (error instanceof CancelledFailure) return error;
  const failure = error instanceof AnalysisFailure ? error : unexpected(error);
  const translated = ApplicationFailure.create({
    type: failure.code,
    message: failure.message,
    nonRetryable: true,
    details: [failure.details],
  });
  translated.stack = "";
  return translated;
}

/** A fault of this program. Its stack belongs into the worker's log, not into a history. */
function unexpected(error: unknown): AnalysisFailure {
  log.error("a fault of this service", { stack: error instanceof Error ? error.stack : String(error) });
  return new Crashed(`unexpected: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
