import { setTimeout as pause } from "node:timers/promises";

/** Waits that end: by their own limit, or when the whole run is asked to end. */
export type Limits = {
  /** @throws when the work takes longer, and the signal's reason when that is aborted */
  readonly within: <T>(limitMs: number, what: string, work: Promise<T>) => Promise<T>;
  readonly sleep: (delayMs: number) => Promise<void>;
  readonly check: () => void;
};

export function createLimits(signal: AbortSignal): Limits {
  return {
    async within(limitMs, what, work) {
      const settled = new AbortController();
      const stop = AbortSignal.any([signal, settled.signal]);
      const limit = pause(limitMs, undefined, { signal: stop }).then(
        () => Promise.reject(new Error(`${what} took longer than ${limitMs / 1000} s`)),
        () => new Promise<never>((_, reject) => (signal.aborted ? reject(signal.reason) : undefined)),
      );
      limit.catch(() => undefined);
      work.catch(() => undefined);
      try {
        return await Promise.race([work, limit]);
      } finally {
        settled.abort();
      }
    },
    sleep: (delayMs) => pause(delayMs, undefined, { signal }),
    check: () => signal.throwIfAborted(),
  };
}
