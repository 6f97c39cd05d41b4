import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import type { DatasetDefinition } from "../../../src/domain/model/dataset-definition.ts";
import { Crashed } from "../../../src/domain/model/failure.ts";
import { analyze } from "../../../src/domain/service/analyze-service.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import { sumByCategory } from "../../support/calculation.ts";

const date = parseTargetDate("2026-01-01");
const rows = pl.DataFrame({ category: ["b", "a", "a", null], value: [2, 1, 3, 5] });

const analysis = (sortBy: readonly string[], run: DatasetDefinition["analyze"] = (all) => all) =>
  analyze({ ...sumByCategory, analyze: run, sortBy }, rows.lazy(), date);

describe("the analysis of a definition", () => {
  it("gives totals in the order of their key, nulls last", async () => {
    const totals = analysis(["category"], (all) => all.groupBy("category").agg(pl.col("value").sum().alias("total")));
    expect((await totals.collect()).toRecords()).toEqual([
      { category: "a", total: 4 },
      { category: "b", total: 2 },
      { category: null, total: 5 },
    ]);
  });

  it("is ordered by several keys, the first one first", async () => {
    expect((await analysis(["category", "value"]).collect()).toRecords().map((row) => row["value"])).toEqual([
      1, 3, 2, 5,
    ]);
    expect((await analysis(["value", "category"]).collect()).toRecords().map((row) => row["value"])).toEqual([
      1, 2, 3, 5,
    ]);
  });

  it("keeps the order that it has without keys", async () => {
    expect((await analysis([]).collect()).toRecords()).toEqual(rows.toRecords());
  });

  it("is told the date, and calculates nothing by itself", async () => {
    const seen: string[] = [];
    const lazy = analysis([], (all, context) => {
      seen.push(context.date);
      return all.select(pl.col("category").cast(pl.Int64, true));
    });
    expect(seen).toEqual(["2026-01-01"]);
    await expect(lazy.collect()).rejects.toThrow(/conversion/);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no luck");
      },
      "analyze of sales threw: no luck",
    ],
    [
      "throws what is no error",
      () => {
        throw "text";
      },
      "analyze of sales threw: text",
    ],
    ["returns nothing", () => undefined, "analyze of sales must return a LazyDataFrame without collecting it"],
    ["returns a promise", async (all) => all, "analyze of sales must return a LazyDataFrame without collecting it"],
    ["collects", (all) => all.collectSync(), "analyze of sales must return a LazyDataFrame without collecting it"],
    [
      "drops a key",
      (all) => all.select("value"),
      "the result of sales has the columns value, but sortBy names category, region",
    ],
  ] as [string, (all: pl.LazyDataFrame) => unknown, string][])("that %s has crashed", (_, run, sentence) => {
    const running = () => analysis(["category", "region"], run as DatasetDefinition["analyze"]);
    expect(running).toThrow(Crashed);
    expect(running).toThrow(new Crashed(sentence));
  });
});
