import { aborted } from "../stop-requested.ts";

/** A wait ends with Ctrl-C; what is waited for goes on. */
export function untilStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = aborted(signal).then((): never => {
    throw signal.reason;
  });
  return Promise.race([work, stopped]);
}
