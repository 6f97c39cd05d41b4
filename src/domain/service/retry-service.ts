import type { FailureCode } from "../model/failure.ts";

type RetryRule = { readonly attempts: number; readonly firstMs: number; readonly maxMs: number };

/** How often a step is tried in all, and the pause between tries, which doubles. One line for each code that is retried. */
const rules: Partial<Record<FailureCode, RetryRule>> = {
  "input-missing": { attempts: 3, firstMs: 2_000, maxMs: 10_000 },
  "input-changed": { attempts: 3, firstMs: 1_000, maxMs: 10_000 },
  "source-unavailable": { attempts: 6, firstMs: 1_000, maxMs: 60_000 },
  "store-unavailable": { attempts: 8, firstMs: 500, maxMs: 30_000 },
  crashed: { attempts: 2, firstMs: 100, maxMs: 1_000 },
};

const longestRetryAfterMs = 15 * 60_000;

/**
 * The pause in milliseconds before the next try, or nothing when the failure stands.
 * @param failures how many times this code was met in this step, the last one included
 * @param retryAfterMs what the source asked for; honoured up to 15 minutes
 */
export function retryDelayMs(code: FailureCode, failures: number, retryAfterMs?: number): number | undefined {
  const rule = rules[code];
  if (rule === undefined || failures >= rule.attempts) return undefined;
  const backoffMs = Math.min(rule.firstMs * 2 ** (failures - 1), rule.maxMs);
  return Math.max(backoffMs, Math.min(retryAfterMs ?? 0, longestRetryAfterMs));
}
