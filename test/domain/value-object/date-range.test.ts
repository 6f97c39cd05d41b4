import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { addDays, countDates, datesFrom, parseDateRange } from "../../../src/domain/value-object/date-range.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";

describe("a range of dates", () => {
  it.each([
    ["2026-01-01", "2026-01-01", 1],
    ["2024-02-28", "2024-03-01", 3],
    ["2026-03-28", "2026-03-30", 3],
    ["2013-01-01", "2013-12-31", 365],
    ["2006-01-01", "2025-12-31", 7_305],
    ["2004-02-29", "2024-02-28", 7_305],
  ])("from %s to %s has both ends, %i in all", (from, to, count) => {
    const range = parseDateRange(from, to);
    expect(countDates(range)).toBe(count);
    expect(datesFrom(range.from, count).at(-1)).toBe(to);
  });

  it.each([
    ["2026-02-01", "2026-01-31", "a range begins with its earlier date, got 2026-02-01 before 2026-01-31"],
    ["", "2026-01-01", "a range needs a first and a last date, such as 2026-01-01 2026-01-31"],
    ["2026-01-01", undefined, "a range needs a first and a last date, such as 2026-01-01 2026-01-31"],
    ["2006-01-01", "2026-01-01", "a range covers at most 20 years, got 2006-01-01 to 2026-01-01"],
    ["2026-02-30", "2026-03-01", "date must be a day of the calendar, 2026-02-30 does not exist"],
    [20260101, "2026-03-01", "date must have the form YYYY-MM-DD, got 20260101"],
  ])("from %s to %s is refused", (from, to, message) => {
    expect(() => parseDateRange(from, to)).toThrow(new BadRequest(message));
  });

  it("crosses months, years and leap days", () => {
    expect(addDays(parseTargetDate("2023-12-31"), 60)).toBe("2024-02-29");
    expect(addDays(parseTargetDate("2024-03-01"), -1)).toBe("2024-02-29");
  });
});
