import { defineDataset, holds, notNull, pl, rowCount } from "polars-analysis-service";

/** Departures from the three airports of New York, one file per local day. Origin and licence: flights/README.md. */
export default defineDataset({
  id: "flights",
  title: "Flights from New York by carrier",
  source: { uri: "file:./flights/flights-{date}.csv.gz" },
  format: { type: "csv", nullValues: ["NA"] },
  schema: {
    carrier: { type: pl.String },
    dep_time: { type: pl.Int64, nullable: true },
    arr_delay: { type: pl.Int64, nullable: true },
    distance: { type: pl.Int64 },
  },
  timeZone: "America/New_York",
  analyze: (rows) =>
    rows
      .groupBy("carrier", false)
      .agg(
        pl.len().cast(pl.Int64).alias("flights"),
        pl.col("dep_time").nullCount().cast(pl.Int64).alias("cancelled"),
        pl.col("arr_delay").sum().alias("arr_delay_minutes"),
        pl.col("distance").sum().alias("distance_miles"),
      ),
  sortBy: ["carrier"],
  checks: [
    rowCount({ on: "rows", min: 500, max: 1_200 }),
    notNull(["carrier", "flights"]),
    holds("no more cancelled than planned", pl.col("cancelled").ltEq(pl.col("flights"))),
  ],
  schedule: "0 6 * * *",
  deadline: "09:00",
});
