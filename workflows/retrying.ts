import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  setCurrentDetails,
  sleep,
} from "@temporalio/workflow";
import { type FailureCode, isFailureCode } from "../src/domain/model/failure.ts";
import { retryDelayMs } from "../src/domain/service/retry-service.ts";

/**
 * Tries again as long as the failure's code allows. A changed input is for the attempt that pins anew: steps inside it
 * hand it on at once.
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  concerns: (code: FailureCode) => boolean = (code) => code !== "input-changed",
): Promise<T> {
  const failures = new Map<FailureCode, number>();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const failure = failureIn(error);
      // A worker that is lost while it is asked to stop shows as a time-out.
      if (failure === undefined && CancellationScope.current().consideredCancelled)
        throw new CancelledFailure("canceled");
      if (failure === undefined) throw error;
      const { code, message, details } = failure;
      const count = (failures.get(code) ?? 0) + 1;
      failures.set(code, count);
      const delayMs = concerns(code) ? retryDelayMs(code, count, details.retryAfterMs) : undefined;
      // The workflow fails with the code itself, not with "activity task failed".
      if (delayMs === undefined) {
        setCurrentDetails(`**${code}**: ${message}`);
        throw failedWith(failure);
      }
      setCurrentDetails(`${code}: ${message}. Trying again in ${Math.ceil(delayMs / 1000)} s.`);
      await sleep(delayMs);
    }
  }
}

type CodedFailure = {
  readonly code: FailureCode;
  readonly message: string;
  readonly details: { readonly retryAfterMs?: number };
};

/** Without a stack, which would be the same for all and show where this service lies. */
function failedWith({ code, message, details }: CodedFailure): ApplicationFailure {
  const failure = ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [details] });
  failure.stack = "";
  return failure;
}

/** The failure with a code, as an activity threw it or as an inner attempt gave it up. */
function failureIn(error: unknown): CodedFailure | undefined {
  const failure = error instanceof ActivityFailure ? error.cause : error;
  if (!(failure instanceof ApplicationFailure) || !isFailureCode(failure.type)) return undefined;
  return {
    code: failure.type,
    message: failure.message,
    details: (failure.details?.[0] ?? {}) as CodedFailure["details"],
  };
}
