export const largestWindow = 50;

/** Whether a backfill may take so many dates at a time. */
export function isWindow(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= largestWindow;
}
