import { BadRequest } from "../model/failure.ts";
import { parseTargetDate, type TargetDate } from "./target-date.ts";

/** Target dates from the first to the last, both included. */
export type DateRange = { readonly from: TargetDate; readonly to: TargetDate };

const dayMs = 86_400_000;
const mostYears = 20;

/** @throws BadRequest unless both are dates, the first is not after the last, and they are at most 20 years apart. */
export function parseDateRange(from: unknown, to: unknown): DateRange {
  if (isNothing(from) || isNothing(to)) {
    throw new BadRequest("a range needs a first and a last date, such as 2026-01-01 2026-01-31");
  }
  const range = { from: parseTargetDate(from), to: parseTargetDate(to) };
  if (range.from > range.to) {
    throw new BadRequest(`a range begins with its earlier date, got ${range.from} before ${range.to}`);
  }
  const [year, ...rest] = range.from.split("-");
  if (range.to >= [Number(year) + mostYears, ...rest].join("-")) {
    throw new BadRequest(`a range covers at most ${mostYears} years, got ${range.from} to ${range.to}`);
  }
  return range;
}

/** How many dates the range has; none, or less, where it is reversed. */
export function countDates({ from, to }: DateRange): number {
  return (instant(to) - instant(from)) / dayMs + 1;
}

/** `count` dates from `from` on, in order; none where it is less than one. */
export function datesFrom(from: TargetDate, count: number): readonly TargetDate[] {
  return Array.from({ length: count }, (_, index) => addDays(from, index));
}

/** The date so many days later. */
export function addDays(date: TargetDate, days: number): TargetDate {
  return new Date(instant(date) + days * dayMs).toISOString().slice(0, 10) as TargetDate;
}

function instant(date: TargetDate): number {
  return Date.parse(`${date}T00:00:00Z`);
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}
