import type { Expr } from "nodejs-polars";
import type { Check } from "../model/dataset-definition.ts";

type Options = { readonly on?: "rows" | "result" };

/** Bounds on the number of rows, both inclusive. */
export function rowCount(bounds: Options & { readonly min?: number; readonly max?: number }): Check {
  return { kind: "row-count", on: "result", ...bounds };
}

/** No value is missing in any of the columns. */
export function notNull(columns: string | readonly string[], options: Options = {}): Check {
  return { kind: "not-null", on: "result", columns: [columns].flat(), ...options };
}

/** No two rows share the values of the columns together. */
export function unique(columns: string | readonly string[], options: Options = {}): Check {
  return { kind: "unique", on: "result", columns: [columns].flat(), ...options };
}

/** Values lie within the bounds, both inclusive. A missing value passes, a NaN does not. */
export function inRange(column: string, bounds: Options & { readonly min?: number; readonly max?: number }): Check {
  return { kind: "in-range", on: "result", column, ...bounds };
}

/** Values are among the listed ones. A missing value passes. */
export function accepted(column: string, values: readonly (string | number | boolean)[], options: Options = {}): Check {
  return { kind: "accepted", on: "result", column, values, ...options };
}

/** The predicate is true for every row; a row for which it is missing fails. `name` says what holds, in plain words. */
export function holds(name: string, predicate: Expr, options: Options = {}): Check {
  return { kind: "holds", on: "result", name, predicate, ...options };
}
