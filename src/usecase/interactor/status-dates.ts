import type { TargetDate } from "../../domain/value-object/target-date.ts";

const dayMs = 86_400_000;

/** The date on the wall of a time zone, and its time as `HH:MM`. */
export function localTime(now: Date, timeZone: string): { readonly date: string; readonly time: string } {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  return { date: `${parts["year"]}-${parts["month"]}-${parts["day"]}`, time: `${parts["hour"]}:${parts["minute"]}` };
}

export function addDays(date: string, days: number): TargetDate {
  return new Date(Date.parse(date) + days * dayMs).toISOString().slice(0, 10) as TargetDate;
}

/** All from the first to the last; none when they are reversed. */
export function datesFrom(first: TargetDate, last: TargetDate): readonly TargetDate[] {
  const count = Math.max(0, (Date.parse(last) - Date.parse(first)) / dayMs + 1);
  return Array.from({ length: count }, (_, index) => addDays(first, index));
}
