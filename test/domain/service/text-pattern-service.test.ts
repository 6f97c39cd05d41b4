import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { textPattern } from "../../../src/domain/service/text-pattern-service.ts";

/** The engine's own regular expressions decide, not JavaScript's. */
function matches(pattern: string | undefined, texts: readonly string[]): readonly string[] {
  if (pattern === undefined) return texts;
  return pl
    .DataFrame({ text: texts })
    .filter(pl.col("text").str.contains(pattern))
    .toRecords()
    .map((row) => String(row["text"]));
}

describe("the text of a converted column", () => {
  it.each([
    ["a whole Decimal", pl.Decimal(12, 0), undefined, ["1", "-1", "+007"], ["1.", "1.0", "", "1e3", "1,0"]],
    [
      "a Decimal with two places",
      pl.Decimal(12, 2),
      undefined,
      ["1", "-1.5", "1.25", "+0.00"],
      ["1.255", "1.", ".5", "1.2.3", " 1", "1 ", "1\n", "1_000", "(1)", "1-", "١"],
    ],
    [
      "an ISO date",
      pl.Date,
      undefined,
      ["2011-01-02"],
      ["2011-01-02 garbage", "2011-01-02T00:00:00", "11-01-02", "2011/01/02", " 2011-01-02", "2011-01-02\n"],
    ],
    [
      "an ISO time",
      pl.Datetime("us"),
      undefined,
      ["2011-01-02 03:04:05", "2011-01-02T03:04:05.1", "2011-01-02 03:04:05.123456"],
      [
        "2011-01-02",
        "2011-01-02 03:04",
        "2011-01-02 03:04:60",
        "2011-01-02 03:04:05.",
        "2011-01-02 03:04:05.1234567",
        "2011-01-02 03:04:05Z",
        "2011-01-02 03:04:05+01:00",
      ],
    ],
    [
      "an ISO time in milliseconds",
      pl.Datetime("ms"),
      undefined,
      ["2011-01-02 03:04:05", "2011-01-02 03:04:05.123"],
      ["2011-01-02 03:04:05.1234"],
    ],
    [
      "a form with signs that mean something in patterns",
      pl.Date,
      "[%d.%m.%Y] (%j)? *",
      ["[02.01.2011] (002)? *"],
      ["[02x01.2011] (002)? *", "[02.01.2011] (002)", "02.01.2011"],
    ],
    ["a form with a percent sign", pl.Date, "%d%%%m%%%Y", ["02%01%2011"], ["02-01-2011"]],
    [
      "a form with fractions in milliseconds",
      pl.Datetime("ms"),
      "%Y%m%d %H%M%S%.f",
      ["20110102 030405", "20110102 030405.123"],
      ["20110102 030405.1234", "20110102 030405Z", "20110102 030460"],
    ],
    [
      "a form with names and half days",
      pl.Datetime("us"),
      "%e %b %y %I:%M %p",
      [" 2 Jan 11 03:04 pm", "12 Dec 11 3:04 AM"],
      ["2 January 11 03:04 pm", "2 Jan 2011 03:04 pm"],
    ],
  ])("is %s, and nothing else", (_, type, format, right, wrong) => {
    expect(matches(textPattern(type, format), [...right, ...wrong])).toEqual(right);
  });

  it("has no pattern where the engine is strict by itself", () => {
    for (const type of [pl.Int64, pl.String, pl.Categorical]) expect(textPattern(type)).toBeUndefined();
  });

  it.each(["%Q", "%F", "%z", "%3f", "%"])("cannot be declared with %s", (format) => {
    expect(() => textPattern(pl.Datetime("us"), `%Y-${format}`)).toThrow(BadRequest);
  });
});
