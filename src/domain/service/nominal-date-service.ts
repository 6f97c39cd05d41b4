import { BadRequest } from "../model/failure.ts";
import { addDays, countDates, type DateRange, datesFrom } from "../value-object/date-range.ts";
import { parseTargetDate, type TargetDate } from "../value-object/target-date.ts";
import { type Cron, isDueOn } from "./cron-service.ts";

const dayMs = 24 * 60 * 60_000;
/** Shorter than any day that a zone has had. */
const stepMs = dayMs / 4;
/** Beyond it no skipped day is looked for. */
const furthestDay = 366;
/** The two last ones of 29 February may be 12 years back. */
const furthestDueDay = 13 * 366;
/** Of days that are looked at together. No zone has left out a day and come back within them. */
const chunkDays = 32;
/** More than any change to summer time, less than any jump over a whole day. */
const jumpMs = dayMs / 2;
/** The most days that a zone has left out at a time, and one more. */
const slackDays = 2;

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

/** A target date, and the day of the zone on which its run is due. */
export type DueDate = { readonly date: TargetDate; readonly day: string };

/**
 * The `count` last target dates for which a schedule was due up to the day of the instant, the latest first. The time of
 * that day does not count.
 * ```
 * schedule          instant                zone  lagDays  count  date        day
 * 0 6 * * mon-fri   2026-02-08T12:00:00Z   UTC   1        2      2026-02-05  2026-02-06   (the 8th is a Sunday)
 *                                                                2026-02-04  2026-02-05
 * 0 6 1 * *         2026-02-08T12:00:00Z   UTC   1        1      2026-01-31  2026-02-01
 * ```
 * @throws BadRequest as `nominalDate`
 */
export function lastDueDates(
  cron: Cron,
  instant: Date,
  timeZone: string,
  lagDays: number,
  count: number,
): readonly DueDate[] {
  const due: DueDate[] = [];
  const today = nominalDate(instant, timeZone, 0);
  for (let back = 0; back < furthestDueDay && due.length < count; back += 1) {
    const day = addDays(today, -back);
    if (!isDueOn(cron, day) || !wasInZone(day, timeZone)) continue;
    const date = lagDays === 0 ? day : datesBefore(day, timeZone, lagDays).at(-1);
    if (date !== undefined) due.push({ date, day });
  }
  return due;
}

/**
 * The dates of a range for which a schedule is due, in order: on the day that comes `lagDays` days after them.
 * @throws BadRequest as `nominalDate`
 */
export function dueDatesIn(cron: Cron, range: DateRange, timeZone: string, lagDays: number): readonly TargetDate[] {
  const days = datesInZone({ from: range.from, to: addDays(range.to, lagDays + slackDays) }, timeZone);
  return days.filter((date, index) => {
    const day = days[index + lagDays];
    return date <= range.to && day !== undefined && isDueOn(cron, day);
  });
}

/**
 * The dates of a range that were, or will be, in the zone, in order; none where the range is reversed.
 * ```
 * from        to          zone           dates
 * 2011-12-29  2011-12-31  Pacific/Apia   2011-12-29 2011-12-31
 * 2011-12-29  2011-12-31  UTC            2011-12-29 2011-12-30 2011-12-31
 * ```
 * @throws BadRequest when the zone is not known
 */
export function datesInZone(range: DateRange, timeZone: string): readonly TargetDate[] {
  const offsetAt = offsetsOf(timeZone);
  const dates: TargetDate[] = [];
  for (let left = countDates(range), from = range.from; left > 0; left -= chunkDays, from = addDays(from, chunkDays)) {
    const chunk = datesFrom(from, Math.min(left, chunkDays));
    const begin = Date.parse(from);
    const jump = offsetAt(begin + (chunk.length + slackDays) * dayMs) - offsetAt(begin - slackDays * dayMs);
    dates.push(...(Math.abs(jump) < jumpMs ? chunk : chunk.filter((date) => wasInZone(date, timeZone))));
  }
  return dates;
}

/**
 * What the clocks of the zone show, to the minute.
 * @throws BadRequest when the zone is not known
 */
export function wallTime(instant: Date, timeZone: string): { readonly day: string; readonly time: string } {
  const [day = "", time = ""] = clock(timeZone)(instant).split("T");
  return { day, time };
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
  const offsetAt = offsetsOf(timeZone);
  const asUtc = Date.parse(`${day}T${time}Z`);
  return [-dayMs, dayMs].some((shift) => clockOf(new Date(asUtc - offsetAt(asUtc + shift))) === `${day}T${time}`);
}

function wasInZone(day: string, timeZone: string): boolean {
  return ["12:00", "00:00", "06:00", "18:00"].some((time) => wasShown(day, time, timeZone));
}

/** What the clocks of the zone are ahead of UTC, in milliseconds, at a time in milliseconds since 1970. */
function offsetsOf(timeZone: string): (time: number) => number {
  const clockOf = clock(timeZone);
  return (time) => Date.parse(`${clockOf(new Date(time))}Z`) - time;
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
