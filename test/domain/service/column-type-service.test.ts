import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import { typeName, unreadable, widening } from "../../../src/domain/service/column-type-service.ts";

describe("the name of a type", () => {
  it.each([
    [pl.Int64, "Int64"],
    [pl.String, "String"],
    [pl.Utf8, "String"],
    [pl.Bool, "Bool"],
    [pl.Decimal(12, 2), "Decimal(12,2)"],
    [pl.Datetime("us"), "Datetime(us)"],
    [pl.Datetime("ms", "UTC"), "Datetime(ms,UTC)"],
    [pl.List(pl.Datetime("us")), "List(Datetime(us))"],
    [
      pl.List(pl.Struct([new pl.Field("k", pl.String), new pl.Field("v", pl.List(pl.Int8))])),
      "List(Struct(k: String, v: List(Int8)))",
    ],
  ])("is the same for what is declared and for what a file has: %#, %s", async (type, name) => {
    expect(typeName(type)).toBe(name);
    const { schema } = pl.select(pl.lit(null).cast(type).alias("a"));
    expect(typeName((schema as Record<string, pl.DataType>)["a"] as pl.DataType)).toBe(name);
  });
});

describe("a column of a file", () => {
  const integers = [pl.Int8, pl.Int16, pl.Int32, pl.Int64];
  const naturals = [pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64];

  it("fits a wider integer, never a narrower one", () => {
    for (const family of [integers, naturals]) {
      for (const [i, from] of family.entries()) {
        for (const [j, to] of family.entries()) expect(widening(from, to)).toBe(j >= i ? "exact" : undefined);
      }
    }
  });

  it("fits a signed type only when every natural number of it does", () => {
    for (const [i, from] of naturals.entries()) {
      for (const [j, to] of integers.entries()) expect(widening(from, to)).toBe(j > i ? "exact" : undefined);
      for (const to of integers) expect(widening(to, from)).toBeUndefined();
    }
  });

  it("fits a Float64 exactly, or up to 2^53", () => {
    for (const from of [...integers.slice(0, 3), ...naturals.slice(0, 3), pl.Float32]) {
      expect(widening(from, pl.Float64)).toBe("exact");
    }
    for (const from of [pl.Int64, pl.UInt64]) expect(widening(from, pl.Float64)).toBe("when-small");
  });

  it("fits any type when it has nothing but nulls", () => {
    const { schema } = pl.select(pl.lit(null).alias("a"));
    const nothing = (schema as Record<string, pl.DataType>)["a"] as pl.DataType;
    for (const to of [pl.Int8, pl.String, pl.Date, pl.List(pl.Int64)]) expect(widening(nothing, to)).toBe("exact");
  });

  it.each([
    [pl.Float64, pl.Int64],
    [pl.Float64, pl.Float32],
    [pl.String, pl.Int64],
    [pl.Int64, pl.String],
    [pl.Datetime("us"), pl.Datetime("ms")],
    [pl.Datetime("us", "UTC"), pl.Datetime("us")],
    [pl.Date, pl.Datetime("us")],
    [pl.Decimal(12, 3), pl.Decimal(12, 2)],
    [pl.Struct([new pl.Field("a", pl.Int64)]), pl.Struct([new pl.Field("b", pl.Int64)])],
  ])("does not fit when values could be lost: %s as %s", (from, to) => {
    expect(widening(from, to)).toBeUndefined();
  });
});

describe("a type in a text format", () => {
  it("is refused when the reader does not know it", () => {
    expect(unreadable(pl.Time, "csv")).toBe("Time cannot be read from csv");
    expect(unreadable(pl.List(pl.Int64), "csv")).toMatch(/List\(Int64\) cannot be read from csv/);
    expect(unreadable(pl.Datetime("us", "UTC"), "ndjson")).toMatch(/declare a Datetime without a zone/);
    for (const type of [pl.Int8, pl.Int16, pl.UInt8, pl.UInt16]) {
      expect(unreadable(type, "ndjson")).toMatch(/cannot be read from ndjson: declare U?Int32$/);
      expect(unreadable(type, "csv")).toBeUndefined();
    }
  });

  it("may be anything where the file says its types itself", () => {
    for (const format of ["parquet", "arrow"] as const) {
      for (const type of [pl.Time, pl.Int8, pl.Datetime("us", "UTC"), pl.List(pl.Int64)]) {
        expect(unreadable(type, format)).toBeUndefined();
      }
    }
  });
});
