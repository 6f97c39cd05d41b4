import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { createResultLayout, defaultResultKey } from "../../../src/infrastructure/repository/result-layout.ts";

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
