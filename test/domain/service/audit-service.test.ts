import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import type { Check, DatasetDefinition } from "../../../src/domain/model/dataset-definition.ts";
import { Crashed } from "../../../src/domain/model/failure.ts";
import { audit, readsRows } from "../../../src/domain/service/audit-service.ts";
import { accepted, holds, inRange, notNull, rowCount, unique } from "../../../src/domain/service/check-service.ts";
import { sumByCategory } from "../../support/calculation.ts";

const definitionOf = (checks: readonly Check[], sortBy: readonly string[] = []): DatasetDefinition => ({
  ...sumByCategory,
  sortBy,
  checks,
});

/** The verdicts on a frame, without the one on the order. */
async function judge(frame: pl.DataFrame, ...checks: Check[]) {
  const { select, read } = audit(definitionOf(checks), frame.columns, "result");
  const [row = {}] = (
    await frame
      .lazy()
      .select(...select)
      .collect()
  ).toRecords();
  return read(row).checks.slice(1);
}
const passes = async (frame: pl.DataFrame, ...checks: Check[]) =>
  (await judge(frame, ...checks)).map(({ passed }) => passed);

const frame = pl.DataFrame(
  { k: ["a", "a", "b", null], n: [1, 2, -5, null], x: [1, Number.NaN, null, 2.5] },
  { schema: { k: pl.String, n: pl.Int64, x: pl.Float64 } },
);

describe("a check", () => {
  it("of the number of rows includes its bounds", async () => {
    expect(
      await passes(frame, rowCount({ min: 4, max: 4 }), rowCount({ min: 5 }), rowCount({ max: 3 }), rowCount({})),
    ).toEqual([true, false, false, true]);
  });

  it("of missing values takes several columns together, and a NaN for a value", async () => {
    expect(await passes(frame.limit(2), notNull(["k", "n"]), notNull("x"))).toEqual([true, true]);
    expect(await judge(frame, notNull(["k", "n", "x"]))).toMatchObject([
      { name: "k, n, x not null", passed: false, observed: "2 of 4 rows fail", expected: "none" },
    ]);
  });

  it("of unique keys takes missing values, and NaN, for one value", async () => {
    expect(await passes(frame, unique("n"), unique(["k", "n"]), unique("k"))).toEqual([true, true, false]);
    const twice = pl.DataFrame({ a: [Number.NaN, Number.NaN, 1], b: [null, null, "x"] });
    expect(await judge(twice, unique("a"), unique("b"), unique(["a", "b"]))).toMatchObject(
      Array.from({ length: 3 }, () => ({ passed: false, observed: "1 of 3 rows fail" })),
    );
  });

  it("of unique keys tells integers beyond 2^53 apart", async () => {
    const keys = (...texts: string[]) => pl.DataFrame({ id: texts }).select(pl.col("id").cast(pl.Int64));
    expect(await passes(keys("9007199254740992", "9007199254740993"), unique("id"))).toEqual([true]);
    expect(await passes(keys("9007199254740993", "9007199254740993"), unique("id"))).toEqual([false]);
  });

  it("of a range includes its bounds, lets missing values pass and NaN not", async () => {
    expect(
      await passes(frame, inRange("n", { min: -5, max: 2 }), inRange("n", { min: -4 }), inRange("n", { max: 1 })),
    ).toEqual([true, false, false]);
    expect(await judge(frame, inRange("x", { min: 1, max: 2.5 }), inRange("x", {}))).toMatchObject([
      { name: "x from 1 to 2.5", passed: false, observed: "1 of 4 rows fail" },
      { name: "x any", passed: false, observed: "1 of 4 rows fail" },
    ]);
    const infinite = pl.DataFrame({ x: [Number.POSITIVE_INFINITY, 0] });
    expect(await passes(infinite, inRange("x", { min: 0 }), inRange("x", { max: 10 }))).toEqual([true, false]);
  });

  it("of a range compares decimals exactly", async () => {
    const amounts = pl.DataFrame({ a: ["0.10", "2.00"] }).select(pl.col("a").cast(pl.Decimal(12, 2)));
    expect(
      await passes(
        amounts,
        inRange("a", { min: 0.1, max: 2 }),
        inRange("a", { min: 0.11 }),
        inRange("a", { max: 1.99 }),
      ),
    ).toEqual([true, false, false]);
  });

  it("of accepted values lets missing values pass", async () => {
    expect(
      await passes(
        frame,
        accepted("k", ["a", "b"]),
        accepted("k", ["a"]),
        accepted("n", [1, 2, -5]),
        accepted("n", [1]),
      ),
    ).toEqual([true, false, true, false]);
    const flags = pl.DataFrame({ f: [true, null] });
    expect(await passes(flags, accepted("f", [true]), accepted("f", [false]))).toEqual([true, false]);
    expect((await judge(frame, accepted("n", [...Array(12).keys()])))[0]?.name).toBe(
      "n among 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …",
    );
  });

  it("of a predicate fails the rows for which it is missing", async () => {
    const positive = pl.col("n").gt(pl.lit(0));
    expect(await judge(frame, holds("n is positive", positive))).toEqual([
      { name: "n is positive", on: "result", passed: false, observed: "2 of 4 rows fail", expected: "none" },
    ]);
    expect(await passes(frame.limit(2), holds("n is positive", positive))).toEqual([true]);
  });

  it("passes on no rows, but for the bound on their number", async () => {
    const none = frame.limit(0);
    const every = [
      notNull("k"),
      unique("k"),
      inRange("n", { min: 1 }),
      accepted("k", ["a"]),
      holds("x", pl.col("n").isNull()),
    ];
    expect(await passes(none, ...every, rowCount({ min: 1 }))).toEqual([true, true, true, true, true, false]);
  });
});

describe("the audit of a result", () => {
  const orderOf = async (result: pl.DataFrame, sortBy: readonly string[]) => {
    const { select, read } = audit(definitionOf([], sortBy), result.columns, "result");
    const [row = {}] = (
      await result
        .lazy()
        .select(...select)
        .collect()
    ).toRecords();
    return read(row).checks[0];
  };

  it("wants each row to be named by the keys that order it", async () => {
    expect(await orderOf(frame, ["n"])).toMatchObject({ name: "n unique", passed: true });
    expect(await orderOf(frame, ["k", "n"])).toMatchObject({ passed: true });
    expect(await orderOf(frame, ["k"])).toMatchObject({
      name: "k unique",
      passed: false,
      observed: "1 of 4 rows fail",
    });
  });

  it("wants one row at most where nothing orders it", async () => {
    expect(await orderOf(frame.limit(1), [])).toMatchObject({ passed: true });
    expect(await orderOf(frame.limit(0), [])).toMatchObject({ passed: true });
    expect(await orderOf(frame, [])).toMatchObject({ passed: false, observed: "4 rows", expected: "at most 1" });
  });

  it("judges only what is declared for it, and the rows by what is declared for them", () => {
    const definition = definitionOf(
      [rowCount({ on: "rows", min: 9 }), notNull("k"), notNull("n", { on: "rows" })],
      ["k"],
    );
    const names = (on: "rows" | "result") =>
      audit(definition, frame.columns, on)
        .read({ rows: 1 })
        .checks.map(({ name }) => name);
    expect(names("rows")).toEqual(["row count", "n not null"]);
    expect(names("result")).toEqual(["k unique", "k not null"]);
  });

  it("needs more of the rows than their number only where a check says so", () => {
    expect(readsRows(definitionOf([rowCount({ on: "rows" }), notNull("k")]))).toBe(false);
    expect(readsRows(definitionOf([notNull("k", { on: "rows" })]))).toBe(true);
  });

  it.each([notNull("nope"), unique(["k", "nope"]), inRange("nope", {}), accepted("nope", [1])])(
    "takes a check that names an absent column for a fault of the definition: $kind",
    (check) => {
      const auditing = () => audit(definitionOf([check]), frame.columns, "result");
      expect(auditing).toThrow(Crashed);
      expect(auditing).toThrow(/a check of sales \(.*\) names nope, the result have k, n, x$/);
    },
  );
});
