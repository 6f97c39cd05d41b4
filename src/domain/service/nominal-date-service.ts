import { BadRequest } from "../model/failure.ts";
import { parseTargetDate, type TargetDate } from "../value-object/target-date.ts";
import { type Cron, isDueOn } from "./cron-service.ts";

const dayMs = 24 * 60 * 60_000;
/** Shorter than any day that a zone has had. */
const stepMs = dayMs / 4;
/** Beyond it no skipped day is looked for. */
const furthestDay = 366;

/**
 * The target date of a daily run: the calendar date of the instant in the zone, minus `lagDays` days. Days that never were
 * in that zone do not count and are never the answer.
 * ```
 * instant                zone            lagDays  date
 * 2026-03-29T01:30:00Z   Europe/Berlin   1        2026-03-28
 * 2011-12-30T16:00:00Z   Pacific/Apia    1        2011-12-29    (its 31st; there was no 30th)
 * 2026-01-01T00:15:00Z   Asia/Kathmandu  0        2026-01-01
 * ```
 * @throws BadRequest when the zone is not known, or the date is none that a run can have
 */
export function nominalDate(instant: Date, timeZone: string, lagDays: number): TargetDate {
  return dateAt(daysBackFrom(instant, timeZone), lagDays);
}

/**
 * The `count` days before the date that were in the zone, the latest first.
 * @throws BadRequest as `nominalDate`
 */
export function datesBefore(date: TargetDate, timeZone: string, count: number): readonly TargetDate[] {
  const dates: TargetDate[] = [];
  for (const day of daysBefore(date, timeZone)) {
    if (dates.length === count) break;
    dates.push(parseTargetDate(day));
  }
  return dates;
}

/**
 * The target dates of the days, right before the instant's, on which the schedule was due only at times that the clocks
 * of the zone have left out, the latest first: no schedule has fired for them.
 * ```
 * schedule     instant                zone           lagDays  dates
 * 30 2 * * *   2026-03-30T00:30:00Z   Europe/Berlin  1        2026-03-28    (on the 29th there was no 02:30)
 * 30 3 * * *   2026-03-30T01:30:00Z   Europe/Berlin  1        none
 * ```
 * @throws BadRequest as `nominalDate`
 */
export function skippedDates(cron: Cron, instant: Date, timeZone: string, lagDays: number): readonly TargetDate[] {
  const dates: TargetDate[] = [];
  let looked = 0;
  for (const day of daysBefore(nominalDate(instant, timeZone, 0), timeZone)) {
    looked += 1;
    if (looked > furthestDay) break;
    if (!isDueOn(cron, day)) continue;
    if (timesOf(cron).some((time) => wasShown(day, time, timeZone))) break;
    const [date] =
      lagDays === 0 ? [parseTargetDate(day)] : datesBefore(parseTargetDate(day), timeZone, lagDays).slice(-1);
    if (date !== undefined) dates.push(date);
  }
  return dates;
}

function timesOf({ hour, minute }: Cron): readonly string[] {
  const digits = (value: number) => String(value).padStart(2, "0");
  return hour.flatMap((hours) => minute.map((minutes) => `${digits(hours)}:${digits(minutes)}`));
}

/** With the offset of the day before or of the day after: the clocks do not change twice between. */
function wasShown(day: string, time: string, timeZone: string): boolean {
  const clockOf = clock(timeZone);
  const asUtc = Date.parse(`${day}T${time}Z`);
  return [-dayMs, dayMs].some((shift) => {
    const offset = Date.parse(`${clockOf(new Date(asUtc + shift))}Z`) - (asUtc + shift);
    return clockOf(new Date(asUtc - offset)) === `${day}T${time}`;
  });
}

function dateAt(days: Iterable<string>, index: number): TargetDate {
  let seen = 0;
  for (const day of days) {
    if (seen === index) return parseTargetDate(day);
    seen += 1;
  }
  throw new Error("the days back from an instant have no end");
}

function* daysBefore(date: TargetDate, timeZone: string): Generator<string> {
  // Wherever the zone lies, the date is over two days after it began in UTC.
  for (const day of daysBackFrom(new Date(Date.parse(date) + 2 * dayMs), timeZone)) if (day < date) yield day;
}

/** Back by parts of a day, so that what the clocks of the zone have shown decides, however long its days were. */
function* daysBackFrom(instant: Date, timeZone: string): Generator<string, never> {
  const dateOf = calendarOf(timeZone);
  let earliest = dateOf(instant);
  yield earliest;
  for (let time = instant.getTime() - stepMs; ; time -= stepMs) {
    const date = dateOf(new Date(time));
    // A day that was shown twice is one day.
    if (date >= earliest) continue;
    earliest = date;
    yield date;
  }
}

function calendarOf(timeZone: string): (instant: Date) => string {
  const clockOf = clock(timeZone);
  return (instant) => clockOf(instant).slice(0, 10);
}

/** What the clocks of the zone show: `2026-03-29T03:30`. */
function clock(timeZone: string): (instant: Date) => string {
  const format = formatOf(timeZone);
  return (instant) => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? "";
    const date = `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`;
    return `${date}T${part("hour")}:${part("minute")}`;
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en", {
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      timeZone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new BadRequest(`timeZone must be an IANA time zone, got ${timeZone}`, { cause });
  }
}
