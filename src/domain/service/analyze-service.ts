import type { LazyDataFrame } from "nodejs-polars";
import type { DatasetDefinition } from "../model/dataset-definition.ts";
import { Crashed } from "../model/failure.ts";
import type { TargetDate } from "../value-object/target-date.ts";

/**
 * The definition's analysis over the rows of the contract, ordered by its keys. Nothing is calculated yet.
 *
 * With `rows.groupBy("category").agg(pl.col("value").sum().alias("total"))`, sorted by `category`:
 * ```
 * category  value          category  total
 * b         2              a         4
 * a         1       →      b         2
 * a         3
 * ```
 * Nulls come last. Rows that share all keys have no order among themselves; the audit refuses them.
 * @throws Crashed when the definition's code throws or returns no lazy frame
 */
export function analyze(definition: DatasetDefinition, rows: LazyDataFrame, date: TargetDate): LazyDataFrame {
  const result = runDefinition(definition, rows, date);
  const columns = result.columns;
  const absent = definition.sortBy.filter((key) => !columns.includes(key));
  if (absent.length > 0) {
    throw new Crashed(
      `the result of ${definition.id} has the columns ${columns.join(", ")}, but sortBy names ${absent.join(", ")}`,
    );
  }
  const [first, ...others] = definition.sortBy;
  if (first === undefined) return result;
  return others.length === 0 ? result.sort(first, false, true) : result.sort([first, ...others], false, true);
}

function runDefinition(definition: DatasetDefinition, rows: LazyDataFrame, date: TargetDate): LazyDataFrame {
  try {
    const result: unknown = definition.analyze(rows, { date });
    if (isLazyDataFrame(result)) return result;
  } catch (cause) {
    throw new Crashed(`analyze of ${definition.id} threw: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  throw new Crashed(`analyze of ${definition.id} must return a LazyDataFrame without collecting it`);
}

function isLazyDataFrame(value: unknown): value is LazyDataFrame {
  return typeof value === "object" && value !== null && Reflect.get(value, Symbol.toStringTag) === "LazyDataFrame";
}
