import { pl } from "nodejs-polars";
import type { DatasetDefinition } from "../../domain/model/dataset-definition.ts";
import { holds, notNull } from "../../domain/service/check-service.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";

const definition: DatasetDefinition = {
  id: "warm-up",
  title: "A small real calculation",
  source: { uri: "file:./{date}.csv.gz" },
  format: { type: "csv" },
  schema: { k: { type: pl.String }, v: { type: pl.Int64, nullable: true }, d: { type: pl.Date } },
  timeZone: "UTC",
  analyze: (rows) => rows.groupBy("k", false).agg(pl.col("v").sum().alias("total"), pl.len().alias("n")),
  sortBy: ["k"],
  checks: [notNull("k"), holds("some", pl.col("n").gt(pl.lit(0)))],
};

/** What a process calculates before it is asked to, so that its first real calculation is not its first. */
export const warmUp = {
  definition,
  date: parseTargetDate("2020-01-01"),
  csv: "k,v,d\na,1,2020-01-01\na,2,2020-01-02\nb,3,2020-01-03\n",
} as const;
