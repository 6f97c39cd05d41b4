import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import pl from "nodejs-polars";
import type { DatasetDefinition } from "../../src/domain/model/dataset-definition.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import { calculate } from "../../src/usecase/calculation/calculate.ts";
import { tempFolder } from "./temp-folder.ts";

/** Sums `value` by `category` from CSV; a test changes what it is about. */
export const sumByCategory: DatasetDefinition = {
  id: "sales",
  title: "Sales",
  source: { uri: "file:./{date}.csv" },
  format: { type: "csv" },
  schema: { category: { type: pl.String }, value: { type: pl.Int64, nullable: true } },
  timeZone: "UTC",
  analyze: (rows) => rows.groupBy("category", false).agg(pl.col("value").sum().alias("total")),
  sortBy: ["category"],
  checks: [],
};

/** Calculates from the contents of files, and reads the result back. */
export async function calculated(
  contents: readonly (string | Buffer)[] | string,
  changes: Partial<DatasetDefinition> = {},
  nameOf: (index: number) => string = (index) => `in-${index}`,
) {
  const folder = await tempFolder();
  const list = typeof contents === "string" ? [contents] : contents;
  const files = await Promise.all(
    list.map(async (content, index) => {
      const path = join(folder, nameOf(index));
      await writeFile(path, content);
      return { uri: `file:///in-${index}`, path };
    }),
  );
  const resultPath = join(folder, "result.parquet");
  const date = parseTargetDate("2026-01-01");
  const calculation = await calculate({ definition: { ...sumByCategory, ...changes }, date, files, resultPath });
  const frame = pl.readParquet(resultPath);
  return { calculation, rows: frame.toRecords(), frame };
}

/** What the calculation fails with, or nothing. */
export function failureOfCalculation(...order: Parameters<typeof calculated>): Promise<unknown> {
  return calculated(...order).then(
    () => undefined,
    (error: unknown) => error,
  );
}
