import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import {
  createResultLayout,
  defaultResultKey,
  stagedFor,
} from "../../../src/infrastructure/repository/result-layout.ts";

describe("RESULT_KEY", () => {
  it("gives each dataset and date a folder with the result and its manifest", () => {
    const layout = createResultLayout(defaultResultKey, ["a", "b"]);
    expect(layout.result("a", "2026-01-02")).toBe("a/2026-01-02/result.parquet");
    expect(layout.manifest("a", "2026-01-02")).toBe("a/2026-01-02/manifest.json");
  });

  it("may leave out the dataset where there is only one", () => {
    expect(createResultLayout("{date}/result.parquet", ["a"]).result("a", "2026-01-02")).toBe(
      "2026-01-02/result.parquet",
    );
    expect(() => createResultLayout("{date}/result.parquet", ["a", "b"])).toThrow(/a, b the same key/);
  });

  it.each(["v1/{dataset}/date={date}/part-0.parquet", "{dataset}-{date}/x.parquet", "a.b/{date}/r.parquet"])(
    "may be %s",
    (template) => {
      expect(() => createResultLayout(template, ["a"])).not.toThrow();
    },
  );

  it.each([
    "",
    "result.parquet",
    "{dataset}/result.parquet",
    "{dataset}/{date}.parquet",
    "{dataset}/{date}/result.csv",
    "{dataset}/{date}/{run}.parquet",
    "{dataset}/{month}/{date}/result.parquet",
    "/{dataset}/{date}/result.parquet",
    "../{dataset}/{date}/result.parquet",
    "{dataset}//{date}/result.parquet",
    "_staging/{date}/result.parquet",
    ".store/{date}/result.parquet",
    "{dataset}/{date}/{date",
  ])("may not be %j", (template) => {
    expect(() => createResultLayout(template, ["a"])).toThrow(BadRequest);
  });
});

describe("a key of the store", () => {
  it.each([
    ["{dataset}/{date}/result.parquet", "sales/2026-02-05/result.parquet", true],
    ["{dataset}/{date}/result.parquet", "gone-since/2026-02-05/result.parquet", true],
    ["{dataset}/{date}/result.parquet", "sales/2026-02-05/result-parquet", false],
    ["{dataset}/{date}/result.parquet", "sales/2026-02-05/manifest.json", false],
    ["{dataset}/{date}/result.parquet", "other/sales/2026-02-05/result.parquet", false],
    ["{dataset}/{date}/result.parquet", "a/b/2026-02-05/result.parquet", false],
    ["{dataset}/{date}/result.parquet", "sales/latest/result.parquet", false],
    ["v1.0/{dataset}/date={date}/part-0.parquet", "v1.0/sales/date=2026-02-05/part-0.parquet", true],
    ["v1.0/{dataset}/date={date}/part-0.parquet", "v1x0/sales/date=2026-02-05/part-0.parquet", false],
  ])("of %s: whether %s is a result is told by its form", (template, key, expected) => {
    expect(createResultLayout(template, ["sales"]).isResult(key)).toBe(expected);
  });

  it.each([
    ["_staging/run-1/token/result.parquet", "run-1"],
    ["_staging/run-1/x", "run-1"],
    ["_staging/run-1/", undefined],
    ["_staging/run-1", undefined],
    ["_staging/../x", undefined],
    ["_staging//x", undefined],
    ["sales/_staging/run-1/x", undefined],
    ["sales/2026-02-05/result.parquet", undefined],
  ])("%s is staged for %s", (key, runId) => {
    expect(stagedFor(key)).toBe(runId);
  });
});
