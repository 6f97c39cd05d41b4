import { BadRequest } from "../model/failure.ts";

/** An ISO calendar date `YYYY-MM-DD` that exists: the partition a run is for. No time, no zone. */
export type TargetDate = string & { readonly TargetDate: never };

const firstDate = "1900-01-01";
const lastDate = "2199-12-31";

/** @throws BadRequest unless the text is a real date from 1900-01-01 to 2199-12-31. */
export function parseTargetDate(text: unknown): TargetDate {
  if (typeof text !== "string" || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) {
    throw new BadRequest(`date must have the form YYYY-MM-DD, got ${JSON.stringify(text) ?? "nothing"}`);
  }
  const [year, month, day] = text.split("-").map(Number) as [number, number, number];
  // A day or month that does not exist ends in another month.
  if (new Date(Date.UTC(year, month - 1, day)).getUTCMonth() !== month - 1) {
    throw new BadRequest(`date must be a day of the calendar, ${text} does not exist`);
  }
  if (text < firstDate || text > lastDate) {
    throw new BadRequest(`date must lie from ${firstDate} to ${lastDate}, got ${text}`);
  }
  return text as TargetDate;
}

/** Whether `parseTargetDate` takes it. */
export function isTargetDate(value: unknown): value is TargetDate {
  try {
    parseTargetDate(value);
    return true;
  } catch {
    return false;
  }
}
