import { defineDataset, pl, rowCount } from "polars-analysis-service";

/**
 * The smallest whole definition: what a category adds up to.
 * ```
 * category  value          category  total
 * b         2              a         4
 * a         1       →      b         2
 * a         3
 * ```
 */
export default defineDataset({
  id: "totals",
  title: "Totals by category",
  source: { uri: "file:./totals/{date}.csv" },
  format: { type: "csv" },
  schema: {
    category: { type: pl.String },
    value: { type: pl.Int64 },
  },
  timeZone: "UTC",
  analyze: (rows) => rows.groupBy("category", false).agg(pl.col("value").sum().alias("total")),
  sortBy: ["category"],
  checks: [rowCount({ min: 1 })],
});
