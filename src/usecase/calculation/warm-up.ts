import { pl } from "nodejs-polars";
import type { DatasetDefinition } from "../../domain/model/dataset-definition.ts";
import { holds, notNull } from "../../domain/service/check-service.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";
import { calculate } from "./calculate.ts";

export const warmUpCsv = "k,v,d\na,1,2020-01-01\na,2,2020-01-02\nb,3,2020-01-03\n";

const definition: DatasetDefinition = {
  id: "warm-up",
  title: "A small real calculation",
  source: { uri: "file:./{date}.csv" },
  format: { type: "csv" },
  schema: { k: { type: pl.String }, v: { type: pl.Int64, nullable: true }, d: { type: pl.Date } },
  timeZone: "UTC",
  analyze: (rows) => rows.groupBy("k", false).agg(pl.col("v").sum().alias("total"), pl.len().alias("n")),
  sortBy: ["k"],
  checks: [notNull("k"), holds("some", pl.col("n").gt(pl.lit(0)))],
};

/**
 * Runs a small real calculation, so that the first real one finds the engine's threads started and the code compiled.
 * @param csvPath a file that holds `warmUpCsv`
 * @param resultPath must not exist
 */
export async function warmUp(csvPath: string, resultPath: string): Promise<void> {
  const date = parseTargetDate("2020-01-01");
  await calculate({ definition, date, files: [{ uri: "warm-up.csv", path: csvPath }], resultPath });
}
