import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import type { DatasetDefinition, Schema } from "../../../src/domain/model/dataset-definition.ts";
import { InputInvalid } from "../../../src/domain/model/failure.ts";
import {
  conform,
  guardedRows,
  type ScannedFile,
  unguardedRows,
  violationCounts,
} from "../../../src/domain/service/contract-service.ts";

const definitionOf = (schema: Schema): DatasetDefinition => ({
  id: "stock",
  title: "Stock",
  source: { uri: "file:./{date}.csv" },
  format: { type: "csv" },
  schema,
  timeZone: "UTC",
  analyze: (rows) => rows,
  sortBy: [],
  checks: [],
});

function scanned(frame: pl.DataFrame, kind: Partial<ScannedFile> = {}): ScannedFile {
  const columns = new Map(Object.entries(frame.schema as Record<string, pl.DataType>));
  return { uri: "file:///stock", frame: frame.lazy(), columns, sparse: false, headed: false, ...kind };
}

const conformed = (frame: pl.DataFrame, schema: Schema, kind: Partial<ScannedFile> = {}) =>
  conform(scanned(frame, kind), definitionOf(schema));

/** The rows as text, so that every digit counts. */
async function rowsOf(frame: pl.DataFrame, schema: Schema, kind: Partial<ScannedFile> = {}) {
  const rows = await guardedRows(conformed(frame, schema, kind)).collect();
  return rows.select(pl.col("*").cast(pl.String)).toRecords();
}

/** What is told of the violations, or that there are none. */
async function violationsOf(frame: pl.DataFrame, schema: Schema, kind: Partial<ScannedFile> = {}) {
  const file = conformed(frame, schema, kind);
  const violations = file.violations();
  const refused = await guardedRows(file)
    .collect()
    .then(
      () => false,
      () => true,
    );
  const [counts = {}] =
    violations.length === 0 ? [] : (await violationCounts(file.frame, violations).collect()).toRecords();
  const told = violations.flatMap(({ column, what }, index) =>
    Number(counts[`n${index}`]) === 0 ? [] : [`${column} is ${what}: ${counts[`n${index}`]}, ${counts[`v${index}`]}`],
  );
  expect(refused).toBe(told.length > 0);
  return told;
}

const faultOf = (frame: pl.DataFrame, schema: Schema, kind: Partial<ScannedFile> = {}) => {
  try {
    conformed(frame, schema, kind);
  } catch (error) {
    expect(error).toBeInstanceOf(InputInvalid);
    return (error as Error).message;
  }
  return undefined;
};

const stock = { sku: { type: pl.String }, qty: { type: pl.Int64 }, price: { type: pl.Int64 } } satisfies Schema;
const integers = (texts: readonly (string | null)[], type: pl.DataType = pl.Int64) =>
  pl.DataFrame({ n: texts }, { schema: { n: pl.String } }).select(pl.col("n").cast(type));

describe("columns of a file", () => {
  it("are taken by name, in the order of the contract", async () => {
    const frame = pl
      .DataFrame({ price: [7], sku: ["A"], qty: [2] })
      .withColumns(pl.col("price").cast(pl.Int64), pl.col("qty").cast(pl.Int64));
    const rows = await guardedRows(conformed(frame, stock)).collect();
    expect(rows.columns).toEqual(["sku", "qty", "price"]);
    expect(rows.toRecords()).toEqual([{ sku: "A", qty: 2, price: 7 }]);
  });

  it("come in that order whichever of them are converted or missing", async () => {
    const schema = {
      a: { type: pl.Float64, nullable: true },
      b: { type: pl.String },
      c: { type: pl.Int64 },
      d: { type: pl.String, nullable: true },
      e: { type: pl.Int64 },
    } satisfies Schema;
    const int = (type: pl.DataType) => ({ c: type, e: pl.Int64, b: pl.String });
    const wide = pl.DataFrame({ c: [1], e: [2], b: ["x"] }, { schema: int(pl.Int64) });
    const narrow = pl.DataFrame({ c: [1], e: [2], b: ["x"] }, { schema: int(pl.Int8) });
    for (const frame of [wide, narrow]) {
      expect((await unguardedRows(conformed(frame, schema)).collect()).columns).toEqual(["a", "b", "c", "d", "e"]);
    }
  });

  it("that are renamed are told by the name that is missing and the one that was not expected", () => {
    const renamed = pl.DataFrame({ sku: ["A"], units: [2], price: [7] });
    expect(faultOf(renamed, stock)).toBe(
      "file:///stock lacks qty of the contract; it has units, which the contract does not name",
    );
  });

  it("that the contract does not name are noted and left out", async () => {
    const frame = pl.DataFrame({ sku: ["A"], batch: ["b"], more: [1] });
    const file = conformed(frame, { sku: { type: pl.String } });
    expect(file.notes).toEqual(["file:///stock also has batch, more, which the contract does not name"]);
    expect((await guardedRows(file).collect()).toRecords()).toEqual([{ sku: "A" }]);
    expect(conformed(frame.select("sku"), { sku: { type: pl.String } }).notes).toEqual([]);
  });

  it("are shown so that a reader sees where a name begins, and not all of many", () => {
    const names = ["", " x", "y\r", "a,b", ...Array.from({ length: 20 }, (_, index) => `c${index}`)];
    const frame = pl.DataFrame(Object.fromEntries(names.map((name) => [name, ["v"]])));
    expect(faultOf(frame, { sku: { type: pl.String } })).toBe(
      'file:///stock lacks sku of the contract; it has "", " x", "y\\r", "a,b", c0, c1, c2, c3, c4, c5 and 14 more, which the contract does not name',
    );
  });

  it("are all null where a nullable one is missing, with the declared type", async () => {
    const schema = { sku: { type: pl.String }, discount: { type: pl.Float64, nullable: true } } satisfies Schema;
    const rows = await guardedRows(conformed(pl.DataFrame({ sku: ["A", "B"] }), schema)).collect();
    expect(rows.toRecords()).toEqual([
      { sku: "A", discount: null },
      { sku: "B", discount: null },
    ]);
    expect(String(rows.schema["discount"])).toBe(String(pl.Float64));
  });

  it("may not all be missing, though each could be", () => {
    const schema = { a: { type: pl.String, nullable: true }, b: { type: pl.Int64, nullable: true } } satisfies Schema;
    expect(faultOf(pl.DataFrame({ x: [1], y: [2] }), schema)).toMatch(/lacks a, b of the contract; it has x, y/);
  });

  it("may not have one name twice", () => {
    const frame = pl.DataFrame({ sku: ["A"], sku_duplicated_0: ["B"] });
    expect(faultOf(frame, { sku: { type: pl.String } })).toBe("file:///stock has two columns with the name sku");
    const other = pl.DataFrame({ sku: ["A"], note: ["B"], note_duplicated_0: ["B"] });
    expect(faultOf(other, { sku: { type: pl.String } })).toBeUndefined();
    const declared = { sku: { type: pl.String }, sku_duplicated_0: { type: pl.String } } satisfies Schema;
    expect(faultOf(frame, declared)).toBeUndefined();
  });

  it("with a type that could lose values are refused by name and both types", () => {
    expect(faultOf(pl.DataFrame({ n: [1.5] }), { n: { type: pl.Int64 } })).toBe(
      "file:///stock has n as Float64, the contract declares Int64, and values could be lost",
    );
  });

  it("that a sparse format lacks are null, and refused only where none may be", async () => {
    const frame = pl.DataFrame({ a: ["x"], b: [null] }, { schema: { a: pl.String, b: pl.Int64 } });
    const schema = (nullable: boolean) => ({ a: { type: pl.String }, b: { type: pl.Int64, nullable } });
    expect(await rowsOf(frame, schema(true), { sparse: true })).toEqual([{ a: "x", b: null }]);
    expect(await violationsOf(frame, schema(false), { sparse: true })).toEqual([
      "b is missing, where the contract allows none: 1, null",
    ]);
  });
});

describe("values of a file", () => {
  it("may be missing only where the contract says so", async () => {
    const frame = pl.DataFrame({ n: [1, null, 3, null] }, { schema: { n: pl.Int64 } });
    expect(await violationsOf(frame, { n: { type: pl.Int64, nullable: true } })).toEqual([]);
    expect(await violationsOf(frame, { n: { type: pl.Int64 } })).toEqual([
      "n is missing, where the contract allows none: 2, null",
    ]);
  });

  it("that are NaN are there", async () => {
    expect(await violationsOf(pl.DataFrame({ n: [Number.NaN] }), { n: { type: pl.Float64 } })).toEqual([]);
  });

  it("keep all digits when they are widened", async () => {
    for (const from of [pl.Int8, pl.UInt8, pl.Int32, pl.UInt32, pl.Int64]) {
      expect(await rowsOf(integers(["100", "0"], from), { n: { type: pl.Int64 } })).toEqual([{ n: "100" }, { n: "0" }]);
    }
    const large = ["9007199254740993", "-9223372036854775808"];
    expect(await rowsOf(integers(large), { n: { type: pl.Int64 } })).toEqual(large.map((n) => ({ n })));
  });

  it.each([pl.Int64, pl.UInt64])("become Float64 up to 2^53 and no further, from %s", async (from) => {
    const schema = { n: { type: pl.Float64, nullable: true } };
    const exact = ["9007199254740992", "0", ...(from === pl.Int64 ? ["-9007199254740992"] : []), null];
    expect(await violationsOf(integers(exact, from), schema)).toEqual([]);
    const beyond = ["9007199254740993", ...(from === pl.Int64 ? ["-9007199254740993"] : ["18446744073709551615"])];
    for (const text of beyond) {
      expect(await violationsOf(integers([...exact, text], from), schema)).toEqual([
        `n is beyond what a Float64 holds exactly: 1, ${text}`,
      ]);
    }
  });

  it("fail the query at once, whatever it reads", async () => {
    const frame = pl.DataFrame({ a: ["x", "y"], n: [1, null] }, { schema: { a: pl.String, n: pl.Int64 } });
    const rows = guardedRows(conformed(frame, { a: { type: pl.String }, n: { type: pl.Int64 } }));
    for (const query of [rows.select("a"), rows.select(pl.len()), rows.filter(pl.col("a").eq(pl.lit("x")))]) {
      await expect(query.collect({ predicatePushdown: false })).rejects.toThrow();
    }
  });

  it("are counted with the first one of each kind", async () => {
    const frame = pl.DataFrame({ d: ["2011-01-02", "no", "2011-02-30", null], n: ["1", null, null, "4"] });
    expect(
      await violationsOf(frame.withColumn(pl.col("n").cast(pl.Int64)), { d: { type: pl.Date }, n: { type: pl.Int64 } }),
    ).toEqual([
      "d is not a Date (ISO 8601): 2, no",
      "d is missing, where the contract allows none: 1, null",
      "n is missing, where the contract allows none: 2, null",
    ]);
  });
});

describe("text that becomes another type", () => {
  const texts = (...values: (string | null)[]) => pl.DataFrame({ t: values }, { schema: { t: pl.String } });

  it.each([
    [pl.Date, undefined, "2012-02-29", "2012-02-29"],
    [pl.Date, "%d/%m/%Y", "03/11/2011", "2011-11-03"],
    [pl.Datetime("us"), undefined, "2011-01-02T03:04:05.123456", "2011-01-02 03:04:05.123456"],
    [pl.Datetime("ms"), undefined, "2011-01-02 03:04:05.123", "2011-01-02 03:04:05.123"],
    [pl.Decimal(12, 2), undefined, "1234567890.12", "1234567890.12"],
    [pl.Decimal(38, 0), undefined, "9".repeat(38), "9".repeat(38)],
    [pl.Categorical, undefined, "x", "x"],
  ])("is exact: %s %s %s", async (type, format, text, expected) => {
    const schema = { t: { type, nullable: true, ...(format === undefined ? {} : { format }) } };
    expect(await rowsOf(texts(text, null), schema)).toEqual([{ t: expected }, { t: null }]);
  });

  it.each([
    [pl.Date, undefined, "2011-01-02 garbage"],
    [pl.Date, undefined, "2026-02-30"],
    [pl.Date, "%d/%m/%Y", "03/28/2011"],
    [pl.Datetime("us"), undefined, "2011-01-02T03:04:05+02:00"],
    [pl.Datetime("us"), undefined, "2011-01-02T24:00:00"],
    [pl.Datetime("ns"), undefined, "1500-01-01T00:00:00"],
    [pl.Decimal(12, 2), undefined, "1.999"],
    [pl.Decimal(12, 2), undefined, "12345678901.12"],
    [pl.Decimal(38, 0), undefined, `1${"0".repeat(38)}`],
    [pl.Decimal(12, 2), undefined, "1e3"],
    [pl.Decimal(12, 2), undefined, "1.299,99"],
  ])("is refused when it is not wholly that: %s %s %s", async (type, format, text) => {
    const schema = { t: { type, nullable: true, ...(format === undefined ? {} : { format }) } };
    const [told, ...more] = await violationsOf(texts(null, text, text), schema);
    expect(told).toMatch(/^t is not a .* \(.+\): 2, /);
    expect(told?.endsWith(`: 2, ${text}`)).toBe(true);
    expect(more).toEqual([]);
  });
});

describe("a header in the middle of a file", () => {
  const headed = { headed: true };
  const shards = pl.DataFrame({ code: ["001", "\ufeffcode", "002", "code"], city: ["Gent", "city", "Gent", "city"] });
  const schema = { city: { type: pl.String } };

  it("is refused where all columns are text, with a byte order mark or without", async () => {
    expect(await violationsOf(shards, schema, headed)).toEqual(["code is the header again: 2, \ufeffcode"]);
  });

  it("is no header where only one value is as its column, or the format has none", async () => {
    const frame = pl.DataFrame({ code: ["001", "code"], city: ["city", "Gent"] });
    expect(await violationsOf(frame, schema, headed)).toEqual([]);
    expect(await violationsOf(shards, schema, { headed: false })).toEqual([]);
  });
});
