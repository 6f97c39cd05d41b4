import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import type { DatasetDefinition, Schema } from "../../../src/domain/model/dataset-definition.ts";
import { Crashed, InputInvalid } from "../../../src/domain/model/failure.ts";
import { inRange } from "../../../src/domain/service/check-service.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import { calculate } from "../../../src/usecase/calculation/calculate.ts";
import { calculated, failureOfCalculation, sumByCategory } from "../../support/calculation.ts";
import { tempFolder } from "../../support/temp-folder.ts";

type Analysis = DatasetDefinition["analyze"];

/** The frame as text, so that every digit counts. */
const textOf = (frame: pl.DataFrame) =>
  frame.select(...frame.columns.map((name) => pl.col(name).cast(pl.String))).toRecords();

describe("a stray quote in CSV", () => {
  /** Each counts the rows in its own way, and none reads the note. */
  const analyses: Readonly<Record<string, Analysis>> = {
    sum: (rows) => rows.select(pl.col("one").sum().alias("n")),
    len: (rows) => rows.select(pl.len().cast(pl.Int64).alias("n")),
    count: (rows) => rows.select(pl.col("region").count().cast(pl.Int64).alias("n")),
    filter: (rows) => rows.filter(pl.col("one").gt(pl.lit(0))).select(pl.len().cast(pl.Int64).alias("n")),
    join: (rows) => rows.join(rows.select("id"), { on: "id" }).select(pl.len().cast(pl.Int64).alias("n")),
  };
  const contract = (nullable: boolean, withNote: boolean): Schema => ({
    id: { type: pl.Int64, nullable },
    region: { type: pl.String, nullable },
    one: { type: pl.Int64, nullable },
    ...(withNote ? { note: { type: pl.String, nullable: true } } : {}),
  });
  const contracts = [contract(false, false), contract(true, false), contract(true, true)];

  function csvOf(rows: number, notes: Readonly<Record<number, string>>, noteAt: number): string {
    const line = (fields: readonly unknown[], note: string) => fields.toSpliced(noteAt, 0, note).join(",");
    const lines = Array.from({ length: rows }, (_, row) => line([row, `r${row % 3}`, 1], notes[row] ?? "ok"));
    return `${line(["id", "region", "one"], "note")}\n${lines.join("\n")}\n`;
  }

  it.each([
    ["one", 5, { 1: '5" pipe' }],
    ["two", 5, { 1: '5" pipe', 3: 'ask "later' }],
    ["three", 9, { 0: 'a"', 4: 'b"c', 8: 'd"' }],
    ["one in the last row", 5, { 4: 'x"' }],
    ["two, far apart", 40_000, { 100: '5" pipe', 39990: '6" pipe' }],
    ["one, near the end of many rows", 40_000, { 39999: '5" pipe' }],
  ] as [string, number, Record<number, string>][])("never takes rows away: %s", async (_, rows, notes) => {
    for (const noteAt of [0, 3]) {
      const content = csvOf(rows, notes, noteAt);
      const outcomes = new Set<number | string>();
      for (const schema of rows > 1000 ? contracts.slice(0, 1) : contracts) {
        for (const analyze of Object.values(analyses)) {
          const outcome = await calculated(content, { schema, analyze, sortBy: [] }).then(
            (done) => [Number(done.rows[0]?.["n"]), done.calculation.rowsRead],
            (error: unknown) => {
              expect(error).toBeInstanceOf(InputInvalid);
              return ["refused"];
            },
          );
          for (const each of outcome) outcomes.add(each);
        }
      }
      expect([[rows], ["refused"]]).toContainEqual([...outcomes]);
    }
  });

  it("is none when it is a whole quoted field", async () => {
    const notes = { 1: '"5"" pipe"', 3: '"ask, later"', 4: '"two\nlines"' };
    const { rows } = await calculated(csvOf(5, notes, 1), {
      schema: contract(false, true),
      analyze: (all) => all,
      sortBy: ["id"],
    });
    expect(rows.map((row) => row["note"])).toEqual(["ok", '5" pipe', "ok", "ask, later", "two\nlines"]);
  });
});

describe("the header of CSV", () => {
  it("may name columns by numbers, in any order", async () => {
    const { rows, calculation } = await calculated("2020,country,2019,7\n1,x,2,a\n3,y,4,b\n", {
      schema: { country: { type: pl.String }, "2019": { type: pl.Int64 }, "2020": { type: pl.Int64 } },
      analyze: (all) => all.withColumn(pl.col("2020").minus(pl.col("2019")).alias("growth")),
      sortBy: ["country"],
    });
    expect(rows).toEqual([
      { country: "x", "2019": 2, "2020": 1, growth: -1 },
      { country: "y", "2019": 4, "2020": 3, growth: -1 },
    ]);
    expect(calculation.notes).toEqual(["file:///in-0 also has 7, which the contract does not name"]);
    const { calculation: kept } = await calculated("k,2020,2019\nx,1,2\n", {
      schema: { k: { type: pl.String }, "2019": { type: pl.Int64 }, "2020": { type: pl.Int64 } },
      analyze: (all) => all.select("k", "2020", "2019"),
      sortBy: ["k"],
    });
    expect(kept.columns.map(({ name }) => name)).toEqual(["k", "2020", "2019"]);
  });

  it("may name columns as JavaScript names what every object has", async () => {
    const { rows } = await calculated("constructor,__proto__,value\nx,y,1\n", {
      schema: { constructor: { type: pl.String }, value: { type: pl.Int64 } },
      analyze: (all) => all,
      sortBy: ["constructor"],
    });
    expect(rows).toEqual([{ constructor: "x", value: 1 }]);
  });

  it("begins behind a byte order mark", async () => {
    expect((await calculated("\ufeffcategory,value\na,1\n")).rows).toEqual([{ category: "a", total: 1 }]);
    expect((await calculated('\ufeff"category",value\na,1\n')).rows).toEqual([{ category: "a", total: 1 }]);
  });

  it.each([
    ["a number is expected", "category,value\na,1\n\ufeffcategory,value\nb,2\n", /the header comes again/],
    ["all is text", "category,city\na,x\n\ufeffcategory,city\nb,y\n", /category is the header again, in 1 row/],
  ])("is refused where it comes again, as in shards put together: %s", async (_, content, sentence) => {
    const text = { category: { type: pl.String }, city: { type: pl.String } };
    const error = await failureOfCalculation(content, {
      ...(content.includes("city") ? { schema: text } : {}),
      analyze: (rows) => rows.groupBy("category", false).agg(pl.len().alias("n")),
    });
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toMatch(sentence);
  });

  it("is read with lines that end in CR LF", async () => {
    expect((await calculated("value,category\r\n1,a\r\n2,a\r\n")).rows).toEqual([{ category: "a", total: 3 }]);
  });

  it.each([
    ["UTF-16", Buffer.from("\ufeffcategory,value\na,1\n", "utf16le")],
    ["lines that end in CR alone", "category,value\ra,1\rb,2\r"],
    ["Latin-1", Buffer.from("category,value\nM\xfcller,1\n", "latin1")],
  ])("is refused in %s, in a sentence that a terminal can show", async (_, content) => {
    const error = await failureOfCalculation([content]);
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).not.toMatch(/\p{Cc}/u);
  });
});

describe("the files of one day", () => {
  const frames = [
    pl.DataFrame(
      { store: ["x", "y"], id: [1, 2], amount: [10, 20] },
      { schema: { store: pl.String, id: pl.Int64, amount: pl.Float64 } },
    ),
    pl.DataFrame(
      { id: [3], discount: [1], store: ["x"], amount: [15] },
      { schema: { id: pl.Int64, discount: pl.Int64, store: pl.String, amount: pl.Float64 } },
    ),
    pl.DataFrame(
      { amount: [40, 7], id: [4, 5], store: ["y", "z"], discount: [2, null] },
      { schema: { amount: pl.Float64, id: pl.Int32, store: pl.String, discount: pl.Float64 } },
    ),
    pl
      .select(
        pl.lit(0).cast(pl.Int64).alias("id"),
        pl.lit(null).alias("store"),
        pl.lit(0).cast(pl.Float64).alias("amount"),
      )
      .limit(0),
  ];
  const drifting: Partial<DatasetDefinition> = {
    schema: {
      id: { type: pl.Int64 },
      store: { type: pl.String },
      amount: { type: pl.Float64 },
      discount: { type: pl.Float64, nullable: true },
    },
    analyze: (rows) =>
      rows
        .groupBy("store", false)
        .agg(pl.len().cast(pl.Int64).alias("n"), pl.col("amount").sum(), pl.col("discount").sum()),
    sortBy: ["store"],
  };

  it.each(["parquet", "arrow"] as const)(
    "may differ in columns, types and order, whichever comes first: %s",
    async (type) => {
      const contents = frames.map((frame) => (type === "parquet" ? frame.writeParquet() : frame.writeIPC()));
      for (let first = 0; first < contents.length; first += 1) {
        const { rows, calculation } = await calculated([...contents.slice(first), ...contents.slice(0, first)], {
          ...drifting,
          format: { type },
        });
        expect(rows).toEqual([
          { store: "x", n: 2, amount: 25, discount: 1 },
          { store: "y", n: 2, amount: 60, discount: 2 },
          { store: "z", n: 1, amount: 7, discount: 0 },
        ]);
        expect(calculation.rowsRead).toBe(5);
      }
    },
  );

  it("may hold no rows and a column of no type: the result has the declared ones", async () => {
    const empty = frames[3]?.writeParquet() ?? Buffer.alloc(0);
    const { rows, calculation } = await calculated([empty], { ...drifting, format: { type: "parquet" } });
    expect(rows).toEqual([]);
    expect(calculation.columns).toEqual([
      { name: "store", type: "String" },
      { name: "n", type: "Int64" },
      { name: "amount", type: "Float64" },
      { name: "discount", type: "Float64" },
    ]);
  });

  it("are all of the format, or the one that is not is named", async () => {
    const [good = Buffer.alloc(0)] = frames.map((frame) => frame.writeParquet());
    const error = await failureOfCalculation([good, good.subarray(0, 60)], {
      ...drifting,
      format: { type: "parquet" },
    });
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toMatch(/file:\/\/\/in-1 cannot be read as parquet/);
  });

  it("must be there", async () => {
    expect(await failureOfCalculation([])).toBeInstanceOf(InputInvalid);
  });
});

describe("integers beyond 2^53", () => {
  const keys = ["9007199254740992", "9007199254740993", "9007199254740993", "9223372036854775807"];
  const byUser: Partial<DatasetDefinition> = {
    schema: { user_id: { type: pl.Int64 }, n: { type: pl.Int64 } },
    analyze: (rows) => rows.groupBy("user_id", false).agg(pl.col("n").sum()),
    sortBy: ["user_id"],
  };
  const frame = pl.DataFrame({ user_id: keys, n: ["1", "2", "3", "4"] }).select(pl.col("*").cast(pl.Int64));

  it.each([
    ["csv", `user_id,n\n${keys.map((key, index) => `${key},${index + 1}`).join("\n")}\n`],
    ["ndjson", `${keys.map((key, index) => `{"user_id":${key},"n":${index + 1}}`).join("\n")}\n`],
    ["parquet", frame.writeParquet()],
    ["arrow", frame.writeIPC()],
  ] as const)("stay two keys where they are two, in %s", async (type, content) => {
    const { frame: result } = await calculated([content], { ...byUser, format: { type } });
    expect(textOf(result)).toEqual([
      { user_id: "9007199254740992", n: "1" },
      { user_id: "9007199254740993", n: "5" },
      { user_id: "9223372036854775807", n: "4" },
    ]);
  });
});

describe("NDJSON", () => {
  const geo = pl.Struct([new pl.Field("lat", pl.Float64), new pl.Field("lon", pl.Float64)]);
  const visits: Partial<DatasetDefinition> = {
    format: { type: "ndjson" },
    schema: {
      id: { type: pl.Int64 },
      tags: { type: pl.List(pl.Struct([new pl.Field("k", pl.String)])), nullable: true },
      geo: { type: geo, nullable: true },
    },
    analyze: (rows) =>
      rows.select(pl.len().cast(pl.Int64).alias("n"), pl.col("geo").struct.field("lat").sum().alias("lat")),
    sortBy: [],
  };

  it("has null, nothing, an empty array, other keys and another order where an object was", async () => {
    const lines = [
      '{"id":1,"tags":[],"geo":{"lat":0.5,"lon":1}}',
      '{"id":2,"tags":null,"geo":null}',
      '{"geo":{"lon":2,"lat":1.0},"id":3}',
      '{"id":4,"tags":[null,{"k":"a"}],"geo":{"lat":null},"extra":{"x":[1]}}',
    ];
    const { rows, calculation } = await calculated(`${lines.join("\r\n")}\r\n\r\n`, visits);
    expect(rows).toEqual([{ n: 4, lat: 1.5 }]);
    expect(calculation.rowsRead).toBe(4);
  });

  it.each([
    [
      "text where an object is expected",
      '{"id":1,"geo":{"lat":1,"lon":2}}\n{"id":2,"geo":"unknown"}\n',
      /cannot be read: geo: .*unknown/,
    ],
    ["a wrong type in a later column", '{"id":1,"tags":5}\n', /cannot be read: tags: /],
    ["an object without its key", '{"id":1}\n{}\n', /id is missing, where the contract allows none, in 1 row/],
    ["a line that is no object", '{"id":1}\nnull\n', /cannot be read: NDJSON line expected/],
    ["a line that is no JSON", '{"id":1}\n{"id":2\n', /cannot be read: error parsing line/],
  ])("is refused with %s, though the analysis does not read it", async (_, content, sentence) => {
    const error = await failureOfCalculation(content, {
      ...visits,
      analyze: (rows) => rows.select(pl.len().alias("n")),
    });
    expect(error).toBeInstanceOf(InputInvalid);
    expect(String(error)).toMatch(sentence);
  });

  it("is empty without a line", async () => {
    for (const content of ["", "\n\n"]) expect((await calculated(content, visits)).calculation.rowsRead).toBe(0);
  });
});

describe("a file whose name has signs of a pattern", () => {
  const frame = (value: number) =>
    pl.DataFrame({ category: ["a"], value: [value] }, { schema: { category: pl.String, value: pl.Int64 } });
  const contentOf = {
    csv: (value: number) => `category,value\na,${value}\n`,
    ndjson: (value: number) => `{"category":"a","value":${value}}\n`,
    parquet: (value: number) => frame(value).writeParquet(),
    arrow: (value: number) => frame(value).writeIPC(),
  } as const;

  it.each(Object.keys(contentOf) as (keyof typeof contentOf)[])("is read alone: %s", async (type) => {
    for (const name of ["in[1]", "in*", "i?1", "in{1}", "[!x]n1", "in[[]"]) {
      const folder = await tempFolder();
      await writeFile(join(folder, "in1"), contentOf[type](100));
      await writeFile(join(folder, "in["), contentOf[type](100));
      await writeFile(join(folder, name), contentOf[type](1));
      expect(await readdir(folder)).toHaveLength(3);
      const resultPath = join(folder, "result.parquet");
      const files = [{ uri: "file:///in", path: join(folder, name) }];
      const definition: DatasetDefinition = { ...sumByCategory, format: { type } };
      await calculate({ definition, date: parseTargetDate("2026-01-01"), files, resultPath });
      expect(pl.readParquet(resultPath).toRecords()).toEqual([{ category: "a", total: 1 }]);
    }
  });
});

describe("a fault of the definition", () => {
  it("is told from one of the input when both could be", async () => {
    const broken: Analysis = (rows) => rows.select(pl.col("value").cast(pl.String).cast(pl.Date, true));
    expect(await failureOfCalculation("category,value\na,1\n", { analyze: broken, sortBy: [] })).toBeInstanceOf(
      Crashed,
    );
    expect(await failureOfCalculation("category,value\na,x\n", { analyze: broken, sortBy: [] })).toBeInstanceOf(
      InputInvalid,
    );
  });

  it("is a check that cannot be made on the column's type", async () => {
    const error = await failureOfCalculation("category,value\na,1\n", { checks: [inRange("category", { min: 1 })] });
    expect(error).toBeInstanceOf(Crashed);
    expect(String(error)).toMatch(/the analysis of sales failed: cannot compare string with numeric type/);
  });
});
