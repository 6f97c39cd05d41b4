import { SourceUnavailable } from "../../domain/model/failure.ts";

/**
 * Gives the work a signal that also ends it when its time is over.
 * @throws SourceUnavailable about the subject when it is, and what the work throws
 */
export async function withinTime<T>(
  subject: string,
  limitMs: number,
  stop: AbortSignal,
  work: (inTime: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(limitMs);
  try {
    return await work(AbortSignal.any([stop, late]));
  } catch (error) {
    if (!late.aborted || error !== late.reason) throw error;
    throw new SourceUnavailable(`${subject} must be read within ${limitMs / 1000} s`, { cause: error });
  }
}
