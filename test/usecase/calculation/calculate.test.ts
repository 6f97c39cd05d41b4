import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import type { DatasetDefinition } from "../../../src/domain/model/dataset-definition.ts";
import { Crashed, InputInvalid } from "../../../src/domain/model/failure.ts";
import { accepted, holds, inRange, notNull, rowCount, unique } from "../../../src/domain/service/check-service.ts";
import { failureOfCalculation as failing, calculated as run } from "../../support/calculation.ts";

describe("a calculation from CSV", () => {
  it("sums by category in the order of its keys", async () => {
    const { rows, calculation } = await run("category,value\nb,2\na,1\na,3\n");
    expect(rows).toEqual([
      { category: "a", total: 4 },
      { category: "b", total: 2 },
    ]);
    expect(calculation).toMatchObject({ rows: 2, rowsRead: 3, notes: [] });
    expect(calculation.columns).toEqual([
      { name: "category", type: "String" },
      { name: "total", type: "Int64" },
    ]);
  });

  it("matches columns by name, and notes those that the contract does not name", async () => {
    const { rows, calculation } = await run("note,value,category\nx,1,a\ny,2,b\n");
    expect(rows).toEqual([
      { category: "a", total: 1 },
      { category: "b", total: 2 },
    ]);
    expect(calculation.notes).toEqual(["file:///in-0 also has note, which the contract does not name"]);
  });

  it("names the column that is missing and the one that was not expected", async () => {
    const error = await failing("kind,value\na,1\n");
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toMatch(/lacks category of the contract; it has kind/);
  });

  it.each([
    ["a wrong type, though the analysis does not read it", "category,value\na,1\nb,x\n", /value/],
    ["a missing value where none may be", "category,value\n,1\nb,2\n", /category is missing.*in 1 row/],
    ["more fields than the header", "category,value\na,1,9\nb,2\n", /fields/],
    ["nothing at all", "", /empty/],
    ["a repeated column", "category,category,value\na,b,1\n", /two columns with the name category/],
    ["an integer that does not fit", "category,value\na,99999999999999999999\n", /value/],
  ])("refuses %s", async (_, content, sentence) => {
    const error = await failing(content, {
      analyze: (rows) => rows.groupBy("category", false).agg(pl.len().alias("n")),
    });
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toMatch(sentence);
    expect(String(error)).not.toContain("\n");
  });

  it("reads a header without rows as no rows", async () => {
    const { rows, calculation } = await run("category,value\n");
    expect(rows).toEqual([]);
    expect(calculation.columns.map(({ type }) => type)).toEqual(["String", "Int64"]);
  });

  it("reads the marks of missing values and other separators as declared", async () => {
    const { rows } = await run("category;value\na;NA\na;2\n", {
      format: { type: "csv", separator: ";", nullValues: ["NA"] },
    });
    expect(rows).toEqual([{ category: "a", total: 2 }]);
  });

  it("keeps integers beyond 2^53 exact", async () => {
    const { frame } = await run("category,value\na,9007199254740993\nb,9223372036854775807\n");
    expect(frame.select(pl.col("total").cast(pl.String)).toRecords()).toEqual([
      { total: "9007199254740993" },
      { total: "9223372036854775807" },
    ]);
  });
});

describe("columns that are converted from text", () => {
  const dated = (
    type: (typeof pl)["Date"] | ReturnType<typeof pl.Datetime>,
    format?: string,
  ): Partial<DatasetDefinition> => ({
    schema: { at: { type, ...(format === undefined ? {} : { format }) } },
    analyze: (rows) => rows.select(pl.col("at").cast(pl.String).alias("at")),
    sortBy: ["at"],
  });

  it.each([
    ["a date", dated(pl.Date), "2011-01-02", "2011-01-02"],
    ["a date in a declared form", dated(pl.Date, "%d/%m/%Y"), "03/11/2011", "2011-11-03"],
    ["a time with T", dated(pl.Datetime("us")), "2011-01-02T03:04:05.123456", "2011-01-02 03:04:05.123456"],
    ["a time with a space", dated(pl.Datetime("us")), "2011-01-02 03:04:05", "2011-01-02 03:04:05.000000"],
    ["a decimal", dated(pl.Decimal(12, 2) as never), "-12.5", "-12.50"],
  ])("reads %s exactly", async (_, changes, text, expected) => {
    expect((await run(`at\n${text}\n`, changes)).rows).toEqual([{ at: expected }]);
  });

  it.each([
    ["words after a date", dated(pl.Date), "2011-01-02 garbage"],
    ["a day that does not exist", dated(pl.Date), "2011-02-30"],
    ["day and month exchanged", dated(pl.Date, "%d/%m/%Y"), "03/28/2011"],
    ["an offset that would be ignored", dated(pl.Datetime("us")), "2011-01-02T03:04:05+02:00"],
    ["a leap second", dated(pl.Datetime("us")), "2011-01-02T03:04:60"],
    ["digits below a declared millisecond", dated(pl.Datetime("ms")), "2011-01-02T03:04:05.1234"],
    ["digits below a microsecond", dated(pl.Datetime("us")), "2011-01-02T03:04:05.123456789"],
    ["a decimal that would be rounded", dated(pl.Decimal(12, 2) as never), "1.999"],
    ["an accountant's amount", dated(pl.Decimal(12, 2) as never), "(12.00)"],
    ["a decimal that does not fit", dated(pl.Decimal(4, 2) as never), "12345.00"],
  ])("refuses %s", async (_, changes, text) => {
    const error = await failing(`at\n${text}\n`, changes);
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toContain(JSON.stringify(text));
  });
});

describe("a calculation from other formats", () => {
  it("reads NDJSON by key, with missing keys as missing values", async () => {
    const lines = '{"category":"a","value":1}\n{"value":2,"category":"a","extra":{}}\n{"category":"b"}\n';
    const { rows } = await run(lines, { format: { type: "ndjson" } });
    expect(rows).toEqual([
      { category: "a", total: 3 },
      { category: "b", total: 0 },
    ]);
  });

  it.each([
    ["a wrong type", '{"category":"a","value":"x"}\n'],
    ["a missing key that must be there", '{"value":1}\n'],
    ["a line that is cut", '{"category":"a","value":1}\n{"category":"b","va'],
    ["an array for a file", '[{"category":"a","value":1}]'],
    ["a fraction for an integer", '{"category":"a","value":1.5}\n'],
  ])("refuses NDJSON with %s", async (_, content) => {
    expect(await failing(content, { format: { type: "ndjson" } })).toBeInstanceOf(InputInvalid);
  });

  const frame = pl.DataFrame(
    { value: [1, 2], category: ["a", "b"] },
    { schema: { value: pl.Int32, category: pl.String } },
  );

  it("widens Parquet and Arrow columns without loss", async () => {
    for (const [type, bytes] of [
      ["parquet", frame.writeParquet()],
      ["arrow", frame.writeIPC()],
    ] as const) {
      const { rows, calculation } = await run([bytes], { format: { type } });
      expect(rows.map((row) => row["total"])).toEqual([1, 2]);
      expect(calculation.columns[1]).toEqual({ name: "total", type: "Int64" });
    }
  });

  it("refuses Parquet columns that could lose values, and bytes that are none", async () => {
    const floats = pl.DataFrame({ value: [1.5], category: ["a"] }).writeParquet();
    expect(String(await failing([floats], { format: { type: "parquet" } }))).toMatch(
      /value as Float64, the contract declares Int64/,
    );
    expect(await failing("category,value\na,1\n", { format: { type: "parquet" } })).toBeInstanceOf(InputInvalid);
    expect(await failing([frame.writeParquet().subarray(0, 100)], { format: { type: "parquet" } })).toBeInstanceOf(
      InputInvalid,
    );
  });

  it("reads a time without a zone from Parquet", async () => {
    const times = pl
      .DataFrame({ at: ["2011-01-02 03:04:05"] })
      .withColumn(pl.col("at").str.strptime(pl.Datetime, "%Y-%m-%d %H:%M:%S"));
    const { calculation } = await run([times.writeParquet()], {
      format: { type: "parquet" },
      schema: { at: { type: pl.Datetime("us") } },
      analyze: (rows) => rows,
      sortBy: ["at"],
    });
    expect(calculation.columns).toEqual([{ name: "at", type: "Datetime(us)" }]);
  });

  it("puts several files together, each by its own columns", async () => {
    const { rows, calculation } = await run(["category,value\na,1\n", "value,category\n2,a\n3,b\n"]);
    expect(rows).toEqual([
      { category: "a", total: 3 },
      { category: "b", total: 3 },
    ]);
    expect(calculation.rowsRead).toBe(3);
  });

  it("names the file that breaks the contract", async () => {
    expect(String(await failing(["category,value\na,1\n", "category,value\n,2\n"]))).toContain("file:///in-1");
  });
});

describe("an analysis", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("no luck");
      },
      /analyze of sales threw: no luck/,
    ],
    ["returns nothing", () => undefined as never, /must return a LazyDataFrame/],
    ["collects", (rows) => rows.collectSync() as never, /must return a LazyDataFrame/],
    ["names a column that is not there", (rows) => rows.select(pl.col("nope")), /nope/],
    ["drops its key", (rows) => rows.select(pl.col("value")), /sortBy names category/],
  ] as [string, DatasetDefinition["analyze"], RegExp][])("that %s has crashed", async (_, analyze, sentence) => {
    const error = await failing("category,value\na,1\n", { analyze });
    expect(error).toBeInstanceOf(Crashed);
    expect(String(error)).toMatch(sentence);
  });

  it("writes 200,000 rows in the order of two keys", async () => {
    const lines = Array.from(
      { length: 200_000 },
      (_, index) => `k${(index * 7919) % 1000},${(index * 104_729) % 200_003}`,
    );
    const { rows } = await run(`category,value\n${lines.join("\n")}\n`, {
      analyze: (all) => all.groupBy(["category", "value"], false).agg(pl.len().alias("n")),
      sortBy: ["category", "value"],
    });
    const keys = rows.map((row) => [String(row["category"]), Number(row["value"])] as const);
    const sorted = keys.toSorted(([a, x], [b, y]) => (a === b ? x - y : a < b ? -1 : 1));
    expect(keys.length).toBeGreaterThan(100_000);
    expect(keys).toEqual(sorted);
  });
});

describe("the audit", () => {
  const csv = "category,value\na,1\na,2\nb,-5\nc,\n";
  const keep: Partial<DatasetDefinition> = { analyze: (rows) => rows, sortBy: ["value", "category"] };
  const verdicts = async (checks: DatasetDefinition["checks"]) =>
    (await run(csv, { ...keep, checks })).calculation.checks
      .filter(({ name }) => name !== "value, category unique")
      .map(({ passed }) => passed);

  it.each(["rows", "result"] as const)("judges each kind of check on the %s", async (on) => {
    expect(
      await verdicts([rowCount({ on, min: 4, max: 4 }), rowCount({ on, min: 5 }), rowCount({ on, max: 3 })]),
    ).toEqual([true, false, false]);
    expect(await verdicts([notNull("category", { on }), notNull(["category", "value"], { on })])).toEqual([
      true,
      false,
    ]);
    expect(await verdicts([unique(["category", "value"], { on }), unique("category", { on })])).toEqual([true, false]);
    expect(
      await verdicts([
        inRange("value", { on, min: -5, max: 2 }),
        inRange("value", { on, min: 0 }),
        inRange("value", { on, max: 1 }),
      ]),
    ).toEqual([true, false, false]);
    expect(
      await verdicts([accepted("category", ["a", "b", "c"], { on }), accepted("category", ["a", "b"], { on })]),
    ).toEqual([true, false]);
    expect(
      await verdicts([
        holds("known", pl.col("category").isNotNull(), { on }),
        holds("positive", pl.col("value").gt(pl.lit(0)), { on }),
      ]),
    ).toEqual([true, false]);
  });

  it("says what it saw and what it expected", async () => {
    const { calculation } = await run(csv, { ...keep, checks: [notNull("value")] });
    expect(calculation.checks.at(-1)).toEqual({
      name: "value not null",
      on: "result",
      passed: false,
      observed: "1 of 4 rows fail",
      expected: "none",
    });
  });

  it("fails a result whose keys do not name its rows", async () => {
    const { calculation } = await run(csv, { analyze: (rows) => rows, sortBy: ["category"] });
    expect(calculation.checks).toMatchObject([{ name: "category unique", passed: false }]);
    const single = (analyze: DatasetDefinition["analyze"]) => run(csv, { analyze, sortBy: [] });
    expect((await single((rows) => rows.select(pl.col("value").sum()))).calculation.checks).toMatchObject([
      { passed: true },
    ]);
    expect((await single((rows) => rows)).calculation.checks).toMatchObject([{ passed: false }]);
  });

  it("does not pass a NaN as a value in a range", async () => {
    const { calculation } = await run("category,value\na,NaN\nb,1\n", {
      ...keep,
      schema: { category: { type: pl.String }, value: { type: pl.Float64 } },
      checks: [inRange("value", { min: 0, max: 5 })],
    });
    expect(calculation.checks.at(-1)).toMatchObject({ passed: false, observed: "1 of 2 rows fail" });
  });

  it("takes a check that names a column that is not there for a fault of the definition", async () => {
    const error = await failing(csv, { ...keep, checks: [notNull("nope")] });
    expect(error).toBeInstanceOf(Crashed);
    expect(String(error)).toMatch(/names nope, the result have category, value/);
  });
});

describe("files of one day that differ", () => {
  it("are put together by name, whatever type and order each has", async () => {
    const small = pl.DataFrame({ category: ["a"], value: [1] }, { schema: { category: pl.String, value: pl.Int32 } });
    const large = pl.DataFrame({ value: [2], category: ["a"] }, { schema: { value: pl.Int64, category: pl.String } });
    const swapped = { schema: { value: { type: pl.Int64 }, category: { type: pl.String } } };
    for (const files of [
      [small, large],
      [large, small],
    ]) {
      const { rows } = await run(
        files.map((frame) => frame.writeParquet()),
        { format: { type: "parquet" }, ...swapped },
      );
      expect(rows).toEqual([{ category: "a", total: 3 }]);
    }
  });

  it("are refused when a header comes again in the middle", async () => {
    const error = await failing("category,place\na,x\ncategory,place\nb,y\n", {
      schema: { category: { type: pl.String }, place: { type: pl.String } },
      analyze: (rows) => rows.groupBy("category", false).agg(pl.len().alias("n")),
    });
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toMatch(/the header again/);
  });
});
