import { BadRequest } from "../model/failure.ts";

/** The values of each field, in order; `dayOfWeek` counts from Sunday, which is 0. */
export type Cron = {
  readonly minute: readonly number[];
  readonly hour: readonly number[];
  readonly dayOfMonth: readonly number[];
  readonly month: readonly number[];
  readonly dayOfWeek: readonly number[];
};

type Field = {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
};

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const fields = {
  minute: { name: "minute", min: 0, max: 59 },
  hour: { name: "hour", min: 0, max: 23 },
  dayOfMonth: { name: "day of the month", min: 1, max: 31 },
  month: { name: "month", min: 1, max: 12, names: months },
  dayOfWeek: { name: "day of the week", min: 0, max: 7, names: weekdays },
} as const satisfies Record<keyof Cron, Field>;

/** Of a leap year. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Five fields of lists, ranges, steps and English names, such as `30 6 * * mon-fri`.
 *
 * Cron and Temporal disagree on an expression that restricts the day of the month and the day of the week, so there is none.
 * @throws BadRequest with the field that is wrong, or when it never fires
 */
export function parseCron(text: string): Cron {
  const [minute, hour, dayOfMonth, month, dayOfWeek, ...more] = text.trim().split(/\s+/);
  if (
    minute === undefined ||
    hour === undefined ||
    dayOfMonth === undefined ||
    month === undefined ||
    dayOfWeek === undefined ||
    more.length > 0
  ) {
    throw new BadRequest(
      `must be a cron expression of five fields (minute, hour, day of the month, month, day of the week), such as 0 6 * * *, got ${JSON.stringify(text)}`,
    );
  }
  const weekdaysWanted = numbersOf(dayOfWeek, fields.dayOfWeek).map((day) => day % 7);
  const cron: Cron = {
    minute: numbersOf(minute, fields.minute),
    hour: numbersOf(hour, fields.hour),
    dayOfMonth: numbersOf(dayOfMonth, fields.dayOfMonth),
    month: numbersOf(month, fields.month),
    dayOfWeek: [...new Set(weekdaysWanted)].toSorted((a, b) => a - b),
  };
  if (cron.dayOfMonth.length < 31 && cron.dayOfWeek.length < 7) {
    throw new BadRequest(
      `must restrict the day of the month or the day of the week, not both, since programs differ in what that means, got ${text}`,
    );
  }
  const [firstDay = 1] = cron.dayOfMonth;
  if (!cron.month.some((wanted) => firstDay <= (longestMonths[wanted - 1] ?? 0))) {
    throw new BadRequest(`never fires: no month of ${month} has a day ${dayOfMonth}, got ${text}`);
  }
  return cron;
}

/** Whether the expression is due at some time of the calendar day. */
export function isDueOn({ dayOfMonth, month, dayOfWeek }: Cron, day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return (
    dayOfMonth.includes(date.getUTCDate()) &&
    month.includes(date.getUTCMonth() + 1) &&
    dayOfWeek.includes(date.getUTCDay())
  );
}

function numbersOf(text: string, field: Field): readonly number[] {
  const values = text.split(",").flatMap((part) => partOf(part, field) ?? malformed(text, field));
  return [...new Set(values)].toSorted((a, b) => a - b);
}

function malformed(text: string, { name, min, max }: Field): never {
  throw new BadRequest(
    `the ${name} of a cron expression must be *, or values from ${min} to ${max} as 1,2 or 1-5 or */2, got ${text}`,
  );
}

/** One element of a list: `*`, `5`, `1-5`, each with `/2` behind, where `5/2` goes on to the end. */
function partOf(part: string, field: Field): number[] | undefined {
  const [, first = "", last, stepText] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d{1,2}))?$/.exec(part) ?? [];
  if (first === "*" && last !== undefined) return undefined;
  const start = first === "*" ? field.min : numberOf(first, field);
  const end = endOf(first, last, stepText, field);
  const step = stepText === undefined ? 1 : Number(stepText);
  if (start === undefined || end === undefined || start > end || step < 1) return undefined;
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
}

function endOf(first: string, last: string | undefined, step: string | undefined, field: Field): number | undefined {
  if (last !== undefined) return numberOf(last, field);
  // The 7 is another name of Sunday and no day of its own.
  if (first === "*" || step !== undefined) return field.names === weekdays ? 6 : field.max;
  return numberOf(first, field);
}

function numberOf(text: string, { min, max, names = [] }: Field): number | undefined {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + min;
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
