import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { type Cron, parseCron } from "../../../src/domain/service/cron-service.ts";

const upTo = (first: number, last: number, step = 1) =>
  Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step);

const always: Cron = {
  minute: upTo(0, 59),
  hour: upTo(0, 23),
  dayOfMonth: upTo(1, 31),
  month: upTo(1, 12),
  dayOfWeek: upTo(0, 6),
};

describe("a cron expression", () => {
  it.each<[string, Partial<Cron>]>([
    ["* * * * *", {}],
    ["0 6 * * *", { minute: [0], hour: [6] }],
    ["  5   6 * *  * ", { minute: [5], hour: [6] }],
    ["*/15 0-23/6 * * *", { minute: [0, 15, 30, 45], hour: [0, 6, 12, 18] }],
    ["30,0,30 6 * * *", { minute: [0, 30], hour: [6] }],
    ["0 20/2 * * *", { minute: [0], hour: [20, 22] }],
    ["0 6 * jan-mar,Dec *", { minute: [0], hour: [6], month: [1, 2, 3, 12] }],
    ["0 6 * * MON-FRI", { minute: [0], hour: [6], dayOfWeek: upTo(1, 5) }],
    ["0 6 * * 0,7", { minute: [0], hour: [6], dayOfWeek: [0] }],
    ["0 6 * * fri-7", { minute: [0], hour: [6], dayOfWeek: [0, 5, 6] }],
    ["0 6 * * */2", { minute: [0], hour: [6], dayOfWeek: [0, 2, 4, 6] }],
    ["0 6 * * 1-7", { minute: [0], hour: [6] }],
    ["0 6 1,15 * *", { minute: [0], hour: [6], dayOfMonth: [1, 15] }],
    ["0 6 29 2 *", { minute: [0], hour: [6], dayOfMonth: [29], month: [2] }],
    ["0 6 31 feb,mar *", { minute: [0], hour: [6], dayOfMonth: [31], month: [2, 3] }],
  ])("%s is understood", (text, expected) => {
    expect(parseCron(text)).toEqual({ ...always, ...expected });
  });

  it.each([
    ["", /five fields/],
    ["0 6 * *", /five fields/],
    ["0 0 6 * * *", /five fields/],
    ["@daily", /five fields/],
    ["TZ=UTC 0 6 * *", /the minute .* got TZ=UTC/],
    ["60 6 * * *", /the minute .* from 0 to 59 .* got 60/],
    ["0 24 * * *", /the hour .* got 24/],
    ["0 6 0 * *", /the day of the month .* got 0/],
    ["0 6 32 * *", /the day of the month .* got 32/],
    ["0 6 * 13 *", /the month .* got 13/],
    ["0 6 * foo *", /the month .* got foo/],
    ["0 6 * * 8", /the day of the week .* got 8/],
    ["0 6 * * jan", /the day of the week .* got jan/],
    ["0 6 L * *", /the day of the month .* got L/],
    ["0 6 ? * *", /the day of the month .* got \?/],
    ["*/0 6 * * *", /the minute .* got \*\/0/],
    ["5-1 6 * * *", /the minute .* got 5-1/],
    ["*-5 6 * * *", /the minute .* got \*-5/],
    ["1,,2 6 * * *", /the minute .* got 1,,2/],
    ["-5 6 * * *", /the minute .* got -5/],
    ["1.5 6 * * *", /the minute .* got 1\.5/],
    ["0 6 13 * 5", /not both/],
    ["0 6 30 2 *", /never fires: no month of 2 has a day 30/],
    ["0 6 30-31 feb *", /never fires/],
    ["0 6 31 4,6,9,11 *", /never fires/],
  ])("%j is refused", (text, message) => {
    expect(() => parseCron(text)).toThrow(BadRequest);
    expect(() => parseCron(text)).toThrow(message);
  });
});
