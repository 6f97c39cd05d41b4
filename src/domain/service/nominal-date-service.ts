import { BadRequest } from "../model/failure.ts";
import { parseTargetDate, type TargetDate } from "../value-object/target-date.ts";

const dayMs = 24 * 60 * 60_000;
/** Shorter than any day that a zone has had. */
const stepMs = dayMs / 4;

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
  // Wherever the zone lies, the date is over two days after it began in UTC.
  for (const day of daysBackFrom(new Date(Date.parse(date) + 2 * dayMs), timeZone)) {
    if (dates.length === count) break;
    if (day < date) dates.push(parseTargetDate(day));
  }
  return dates;
}

function dateAt(days: Iterable<string>, index: number): TargetDate {
  let seen = 0;
  for (const day of days) {
    if (seen === index) return parseTargetDate(day);
    seen += 1;
  }
  throw new Error("the days back from an instant have no end");
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
  const format = formatOf(timeZone);
  return (instant) => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    return `${parts.get("year")?.padStart(4, "0")}-${parts.get("month")}-${parts.get("day")}`;
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en", {
      calendar: "gregory",
      numberingSystem: "latn",
      timeZone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
    });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new BadRequest(`timeZone must be an IANA time zone, got ${timeZone}`, { cause });
  }
}
