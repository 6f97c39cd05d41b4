import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { parseCron } from "../../../src/domain/service/cron-service.ts";
import {
  datesBefore,
  datesInZone,
  dueDatesIn,
  lastDueDates,
  nominalDate,
  skippedDates,
  wallTime,
} from "../../../src/domain/service/nominal-date-service.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";

const rangeOf = (from: string, to: string) => ({ from: parseTargetDate(from), to: parseTargetDate(to) });
const dateOf = (instant: string, zone: string, lagDays: number) => nominalDate(new Date(instant), zone, lagDays);

describe("the target date of a nominal time", () => {
  it.each([
    ["2026-01-01T00:00:00Z", "UTC", 0, "2026-01-01"],
    ["2026-01-01T00:00:00Z", "UTC", 1, "2025-12-31"],
    ["2026-01-01T23:59:59.999Z", "UTC", 1, "2025-12-31"],
    ["2026-03-01T06:00:00Z", "UTC", 1, "2026-02-28"],
    ["2028-03-01T06:00:00Z", "UTC", 1, "2028-02-29"],
    ["2026-03-02T06:00:00Z", "UTC", 3, "2026-02-27"],
    ["2026-01-02T06:00:00Z", "UTC", 366, "2025-01-01"],
    // In Berlin the clocks went from 02:00 to 03:00 on this day.
    ["2026-03-28T23:00:00Z", "Europe/Berlin", 0, "2026-03-29"],
    ["2026-03-29T00:59:00Z", "Europe/Berlin", 0, "2026-03-29"],
    ["2026-03-29T01:00:00Z", "Europe/Berlin", 1, "2026-03-28"],
    ["2026-03-29T21:59:00Z", "Europe/Berlin", 1, "2026-03-28"],
    ["2026-03-29T22:00:00Z", "Europe/Berlin", 1, "2026-03-29"],
    ["2026-03-29T22:00:00Z", "Europe/Berlin", 3, "2026-03-27"],
    // And on this one from 03:00 to 02:00: 02:30 was twice, an hour apart.
    ["2026-10-24T22:00:00Z", "Europe/Berlin", 0, "2026-10-25"],
    ["2026-10-25T00:30:00Z", "Europe/Berlin", 1, "2026-10-24"],
    ["2026-10-25T01:30:00Z", "Europe/Berlin", 1, "2026-10-24"],
    ["2026-10-25T22:59:00Z", "Europe/Berlin", 0, "2026-10-25"],
    ["2026-10-25T23:00:00Z", "Europe/Berlin", 1, "2026-10-25"],
    ["2026-10-26T05:00:00Z", "Europe/Berlin", 3, "2026-10-23"],
    // Samoa had no 30 December 2011: after the 29th, 23:59, came the 31st.
    ["2011-12-30T09:59:00Z", "Pacific/Apia", 0, "2011-12-29"],
    ["2011-12-30T10:00:00Z", "Pacific/Apia", 0, "2011-12-31"],
    ["2011-12-30T16:00:00Z", "Pacific/Apia", 1, "2011-12-29"],
    ["2011-12-31T16:00:00Z", "Pacific/Apia", 1, "2011-12-31"],
    ["2011-12-31T16:00:00Z", "Pacific/Apia", 2, "2011-12-29"],
    ["2011-12-31T16:00:00Z", "Pacific/Apia", 3, "2011-12-28"],
    // A quarter to six ahead.
    ["2025-12-31T18:14:59Z", "Asia/Kathmandu", 0, "2025-12-31"],
    ["2025-12-31T18:15:00Z", "Asia/Kathmandu", 0, "2026-01-01"],
    ["2026-01-01T00:15:00Z", "Asia/Kathmandu", 1, "2025-12-31"],
    ["2026-01-01T09:59:00Z", "Pacific/Kiritimati", 0, "2026-01-01"],
    ["2026-01-01T10:00:00Z", "Pacific/Kiritimati", 0, "2026-01-02"],
    ["2026-01-01T11:59:00Z", "Etc/GMT+12", 1, "2025-12-30"],
    // Kwajalein left out 21 August 1993.
    ["1993-08-22T00:00:00Z", "Pacific/Kwajalein", 1, "1993-08-20"],
  ])("%s in %s, %i days back, is of %s", (instant, zone, lagDays, expected) => {
    expect(dateOf(instant, zone, lagDays)).toBe(expected);
  });

  it("counts a day once that a zone has had twice", () => {
    // Kwajalein set its calendar back by most of a day at the end of September 1969.
    const days = [0, 1, 2, 3].map((lag) => dateOf("1969-10-02T20:00:00Z", "Pacific/Kwajalein", lag));
    expect(new Set(days).size).toBe(4);
    expect(days).toEqual(days.toSorted().toReversed());
  });

  it("needs a zone that there is", () => {
    expect(() => dateOf("2026-01-01T00:00:00Z", "Europe/Bern", 1)).toThrow(BadRequest);
    expect(() => dateOf("2026-01-01T00:00:00Z", "Europe/Bern", 1)).toThrow(/Europe\/Bern/);
  });

  it("is none outside of the dates that a run can have", () => {
    expect(() => dateOf("1900-01-01T12:00:00Z", "UTC", 1)).toThrow(BadRequest);
  });
});

describe("the days before a date", () => {
  it.each([
    ["2026-03-01", "UTC", 0, []],
    ["2026-03-01", "UTC", 2, ["2026-02-28", "2026-02-27"]],
    ["2026-03-30", "Europe/Berlin", 2, ["2026-03-29", "2026-03-28"]],
    ["2026-10-26", "Europe/Berlin", 2, ["2026-10-25", "2026-10-24"]],
    ["2026-01-01", "Asia/Kathmandu", 1, ["2025-12-31"]],
    ["2026-01-01", "Pacific/Kiritimati", 1, ["2025-12-31"]],
    ["2026-01-01", "Etc/GMT+12", 1, ["2025-12-31"]],
    ["2012-01-01", "Pacific/Apia", 3, ["2011-12-31", "2011-12-29", "2011-12-28"]],
    ["2011-12-30", "Pacific/Apia", 1, ["2011-12-29"]],
  ])("of %s in %s, %i, are %j", (date, zone, count, expected) => {
    expect(datesBefore(parseTargetDate(date), zone, count)).toEqual(expected);
  });
});

describe("the dates for which no schedule has fired, since the clocks left out its time", () => {
  it.each([
    // 02:30 was not on Sunday, 29 March 2026, so the schedule fired for Saturday's data on no day.
    ["30 2 * * *", "2026-03-30T00:30:00Z", "Europe/Berlin", 1, ["2026-03-28"]],
    ["30 2 * * *", "2026-03-30T00:30:00Z", "Europe/Berlin", 0, ["2026-03-29"]],
    ["30 2 * * *", "2026-03-30T00:30:00Z", "Europe/Berlin", 3, ["2026-03-26"]],
    ["0,30 2 * * *", "2026-03-30T00:00:00Z", "Europe/Berlin", 1, ["2026-03-28"]],
    ["30 2 * * sun", "2026-04-05T00:30:00Z", "Europe/Berlin", 1, ["2026-03-28"]],
    ["30 2 29 * *", "2026-04-29T00:30:00Z", "Europe/Berlin", 1, ["2026-03-28"]],
    ["30 2 * * *", "2026-03-31T00:30:00Z", "Europe/Berlin", 1, []],
    ["30 2 * * *", "2026-03-28T01:30:00Z", "Europe/Berlin", 1, []],
    ["30 2 * * mon-fri", "2026-03-30T00:30:00Z", "Europe/Berlin", 1, []],
    ["30 2,3 * * *", "2026-03-30T00:30:00Z", "Europe/Berlin", 1, []],
    ["0 * * * *", "2026-03-29T22:00:00Z", "Europe/Berlin", 1, []],
    ["0 3 * * *", "2026-03-30T01:00:00Z", "Europe/Berlin", 1, []],
    ["30 1 * * *", "2026-03-29T23:30:00Z", "Europe/Berlin", 1, []],
    ["30 2 * * *", "2026-10-26T01:30:00Z", "Europe/Berlin", 1, []],
    ["30 2 * * *", "2026-03-09T06:30:00Z", "America/New_York", 1, ["2026-03-07"]],
    ["15 2 * * *", "2026-10-04T15:45:00Z", "Australia/Lord_Howe", 1, ["2026-10-03"]],
    // A day that never was is not due: the schedule of the 31st is for the 29th.
    ["30 6 * * *", "2011-12-30T16:30:00Z", "Pacific/Apia", 1, []],
    ["30 6 * * *", "2026-03-30T06:30:00Z", "UTC", 1, []],
    ["0 6 1 1 *", "2026-01-01T06:00:00Z", "UTC", 1, []],
  ])("%s at %s in %s, %i days back: %j", (schedule, instant, zone, lagDays, expected) => {
    expect(skippedDates(parseCron(schedule), new Date(instant), zone, lagDays)).toEqual(expected);
  });
});

describe("the last dates for which a schedule was due", () => {
  it.each([
    ["0 6 * * *", "2026-02-08T12:00:00Z", "UTC", 1, ["2026-02-07 2026-02-08", "2026-02-06 2026-02-07"]],
    ["0 6 * * *", "2026-02-08T12:00:00Z", "UTC", 0, ["2026-02-08 2026-02-08", "2026-02-07 2026-02-07"]],
    ["0 6 * * mon-fri", "2026-02-08T12:00:00Z", "UTC", 1, ["2026-02-05 2026-02-06", "2026-02-04 2026-02-05"]],
    ["0 6 * * mon-fri", "2026-02-08T12:00:00Z", "UTC", 3, ["2026-02-03 2026-02-06", "2026-02-02 2026-02-05"]],
    ["0 6 1 * *", "2026-02-08T12:00:00Z", "UTC", 1, ["2026-01-31 2026-02-01", "2025-12-31 2026-01-01"]],
    // The time of the day itself is still to come, and does not count.
    ["0 23 * * *", "2026-02-08T00:00:00Z", "UTC", 1, ["2026-02-07 2026-02-08", "2026-02-06 2026-02-07"]],
    ["0 6 29 2 *", "2104-02-28T12:00:00Z", "UTC", 0, ["2096-02-29 2096-02-29", "2092-02-29 2092-02-29"]],
    ["0 6 29 2 *", "2110-02-28T12:00:00Z", "UTC", 0, ["2108-02-29 2108-02-29", "2104-02-29 2104-02-29"]],
    ["0 6 * * *", "2011-12-30T16:00:00Z", "Pacific/Apia", 1, ["2011-12-29 2011-12-31", "2011-12-28 2011-12-29"]],
    ["0 6 30 * *", "2011-12-31T16:00:00Z", "Pacific/Apia", 0, ["2011-11-30 2011-11-30", "2011-10-30 2011-10-30"]],
  ])("%s at %s in %s, %i days back: %j", (schedule, instant, zone, lagDays, expected) => {
    const due = lastDueDates(parseCron(schedule), new Date(instant), zone, lagDays, 2);
    expect(due.map(({ date, day }) => `${date} ${day}`)).toEqual(expected);
  });

  it("are found over the eight years between two leap days", () => {
    const due = lastDueDates(parseCron("0 6 29 2 *"), new Date("2104-02-28T12:00:00Z"), "UTC", 1, 1);
    expect(due).toEqual([{ date: "2096-02-28", day: "2096-02-29" }]);
  });
});

describe("the dates of a range for which a schedule is due", () => {
  it.each([
    ["0 6 * * mon-fri", "2026-02-01", "2026-02-07", "UTC", 1, ["01", "02", "03", "04", "05"]],
    ["0 6 * * mon-fri", "2026-02-01", "2026-02-07", "UTC", 0, ["02", "03", "04", "05", "06"]],
    ["0 6 1 * *", "2026-02-01", "2026-02-28", "Europe/Berlin", 1, ["28"]],
    ["0 6 1 * *", "2026-02-01", "2026-02-28", "Europe/Berlin", 4, ["25"]],
    ["0 6 31 * *", "2011-12-28", "2011-12-31", "Pacific/Apia", 1, ["29"]],
    ["0 6 30 * *", "2011-12-28", "2011-12-31", "Pacific/Apia", 1, []],
  ])("%s from %s to %s in %s, %i days back: %j", (schedule, from, to, zone, lagDays, expected) => {
    const due = dueDatesIn(parseCron(schedule), rangeOf(from, to), zone, lagDays);
    expect(due.map((date) => date.slice(8))).toEqual(expected);
  });

  it("are those that the days of the runs lead back to", () => {
    for (const zone of ["Europe/Berlin", "Pacific/Apia"]) {
      for (const [schedule, lagDays] of [
        ["0 6 * * mon-fri", 1],
        ["0 6 1,15 * *", 3],
        ["0 6 * * *", 30],
      ] as const) {
        const cron = parseCron(schedule);
        const due = dueDatesIn(cron, rangeOf("2011-11-01", "2012-02-01"), zone, lagDays);
        const last = lastDueDates(cron, new Date("2012-03-15T12:00:00Z"), zone, lagDays, 140)
          .map(({ date }) => date)
          .filter((date) => date >= "2011-11-01" && date <= "2012-02-01");
        expect(due).toEqual(last.toReversed());
      }
    }
  });
});

describe("the dates of a range that were in the zone", () => {
  it.each([
    ["Pacific/Apia", "2011-12-30"],
    ["Pacific/Fakaofo", "2011-12-30"],
    ["Pacific/Kwajalein", "1993-08-21"],
    ["Pacific/Kiritimati", "1994-12-31"],
    ["Pacific/Enderbury", "1994-12-31"],
  ])("in %s are all but %s", (zone, absent) => {
    const range = rangeOf("1985-01-01", "2020-12-31");
    const dates = datesInZone(range, zone);
    expect(dates).not.toContain(absent);
    expect(new Set(dates).size).toBe(dates.length);
    // 36 years with 9 leap days.
    expect(dates).toHaveLength(36 * 365 + 9 - 1);
    expect(datesInZone(range, "Europe/Berlin")).toHaveLength(36 * 365 + 9);
  });

  it("are found at either end of what is looked at together", () => {
    for (let shift = -40; shift <= 1; shift += 1) {
      const from = new Date(Date.UTC(2011, 11, 30 + shift)).toISOString().slice(0, 10);
      expect(datesInZone(rangeOf(from, "2011-12-31"), "Pacific/Apia")).toHaveLength(shift === 1 ? 1 : 1 - shift);
    }
    expect(datesInZone(rangeOf("2011-12-30", "2011-12-30"), "Pacific/Apia")).toEqual([]);
    expect(datesInZone(rangeOf("2026-01-02", "2026-01-01"), "UTC")).toEqual([]);
  });

  it("has the days whole that a zone had twice, or with an hour less or more", () => {
    expect(datesInZone(rangeOf("1969-09-01", "1969-10-31"), "Pacific/Kwajalein")).toHaveLength(61);
    expect(datesInZone(rangeOf("2026-01-01", "2026-12-31"), "America/Sao_Paulo")).toHaveLength(365);
    expect(datesInZone(rangeOf("2018-10-01", "2018-12-01"), "America/Sao_Paulo")).toHaveLength(62);
  });
});

describe("what the clocks show", () => {
  it.each([
    ["2026-03-29T00:59:00.000Z", "Europe/Berlin", "2026-03-29", "01:59"],
    ["2026-03-29T01:00:00.000Z", "Europe/Berlin", "2026-03-29", "03:00"],
    ["2026-10-25T00:30:00.000Z", "Europe/Berlin", "2026-10-25", "02:30"],
    ["2011-12-30T09:59:00.000Z", "Pacific/Apia", "2011-12-29", "23:59"],
    ["2011-12-30T10:00:00.000Z", "Pacific/Apia", "2011-12-31", "00:00"],
    ["2026-02-05T18:15:00.000Z", "Asia/Kathmandu", "2026-02-06", "00:00"],
  ])("at %s in %s is %s %s", (instant, timeZone, day, time) => {
    expect(wallTime(new Date(instant), timeZone)).toEqual({ day, time });
  });
});
