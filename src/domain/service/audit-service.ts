import { type Expr, pl } from "nodejs-polars";
import type { CheckResult } from "../model/analysis-result.ts";
import type { Check, DatasetDefinition } from "../model/dataset-definition.ts";
import { Crashed } from "../model/failure.ts";
import { rememberFor } from "./remember-service.ts";

/** The checks of one frame as a single query: `select` gives one row, `read` turns that row into the checks' results. */
export type Audit = {
  readonly select: readonly Expr[];
  readonly read: (row: Readonly<Record<string, unknown>>) => {
    readonly rows: number;
    readonly checks: readonly CheckResult[];
  };
};

const rowCountOfFrame = pl.len().cast(pl.Int64).alias("rows");
const no = pl.lit(false);

/**
 * The definition's checks on the rows of the input or on the staged result, and for the result that `sortBy` names each
 * row once.
 *
 * `rowCount({ min: 3 })` and `unique("k")` over
 * ```
 * k  n
 * a  1          row count    2 rows              expected at least 3    failed
 * a  2          k unique     1 of 2 rows fail    expected none          failed
 * ```
 * @param columns the columns that the frame has
 * @throws Crashed when a check names a column that the frame lacks
 */
export function audit(definition: DatasetDefinition, columns: readonly string[], on: "rows" | "result"): Audit {
  return remember(definition, JSON.stringify([on, columns]), () => build(definition, columns, on));
}

const remember = rememberFor<DatasetDefinition, Audit>();

function build(definition: DatasetDefinition, columns: readonly string[], on: "rows" | "result"): Audit {
  const declared = definition.checks.filter((check) => check.on === on);
  const checks = on === "result" ? [orderCheck(definition), ...declared] : declared;
  for (const check of checks) {
    const absent = columnsOf(check).filter((column) => !columns.includes(column));
    if (absent.length > 0) {
      throw new Crashed(
        `a check of ${definition.id} (${nameOf(check)}) names ${absent.join(", ")}, the ${on} have ${columns.join(", ")}`,
      );
    }
  }
  const counts = checks.flatMap((check, index) => {
    const count = countOf(check);
    return count === undefined ? [] : [count.alias(`c${index}`)];
  });
  return {
    select: [rowCountOfFrame, ...counts],
    read: (row) => {
      const rows = Number(row["rows"]);
      return { rows, checks: checks.map((check, index) => judge(check, rows, Number(row[`c${index}`] ?? 0))) };
    },
  };
}

/** Whether the checks on the rows need more of the input than its number of rows. */
export function readsRows(definition: DatasetDefinition): boolean {
  return definition.checks.some((check) => check.on === "rows" && check.kind !== "row-count");
}

/** `sortBy` orders the result only when it names each row; without it the result is one row. */
function orderCheck({ sortBy }: DatasetDefinition): Check {
  if (sortBy.length === 0) return { kind: "row-count", on: "result", max: 1 };
  return { kind: "unique", on: "result", columns: sortBy };
}

/** How many rows fail; for `unique` how many keys differ, for `holds` how many rows pass. */
function countOf(check: Check): Expr | undefined {
  switch (check.kind) {
    case "row-count":
      return undefined;
    case "not-null":
      return pl.anyHorizontal([pl.cols([...check.columns]).isNull()]).sum();
    case "unique": {
      const [first = "", ...others] = check.columns;
      return (others.length === 0 ? pl.col(first) : pl.struct(check.columns.map((column) => pl.col(column)))).nUnique();
    }
    case "in-range": {
      const value = pl.col(check.column);
      const below = check.min === undefined ? [] : [value.lt(pl.lit(check.min))];
      const above = check.max === undefined ? [] : [value.gt(pl.lit(check.max))];
      return pl
        .anyHorizontal([...below, ...above, value.cast(pl.Float64, false).isNan()])
        .fillNull(no)
        .sum();
    }
    case "accepted":
      // Of a missing value it is not known, which counts as nothing.
      return pl
        .col(check.column)
        .isIn([...check.values])
        .not()
        .sum();
    case "holds":
      return check.predicate.sum();
  }
}

function judge(check: Check, rows: number, count: number): CheckResult {
  const name = nameOf(check);
  if (check.kind === "row-count") {
    const passed = rows >= (check.min ?? 0) && rows <= (check.max ?? Number.POSITIVE_INFINITY);
    return { name, on: check.on, passed, observed: `${rows} rows`, expected: boundsOf(check) };
  }
  const failing = check.kind === "unique" || check.kind === "holds" ? rows - count : count;
  return { name, on: check.on, passed: failing === 0, observed: `${failing} of ${rows} rows fail`, expected: "none" };
}

function nameOf(check: Check): string {
  switch (check.kind) {
    case "row-count":
      return "row count";
    case "not-null":
      return `${check.columns.join(", ")} not null`;
    case "unique":
      return `${check.columns.join(", ")} unique`;
    case "in-range":
      return `${check.column} ${boundsOf(check)}`;
    case "accepted":
      return `${check.column} among ${check.values.slice(0, 10).join(", ")}${check.values.length > 10 ? ", …" : ""}`;
    case "holds":
      return check.name;
  }
}

function columnsOf(check: Check): readonly string[] {
  switch (check.kind) {
    case "row-count":
    case "holds":
      return [];
    case "not-null":
    case "unique":
      return check.columns;
    case "in-range":
    case "accepted":
      return [check.column];
  }
}

function boundsOf({ min, max }: { readonly min?: number; readonly max?: number }): string {
  if (min !== undefined && max !== undefined) return `from ${min} to ${max}`;
  if (min !== undefined) return `at least ${min}`;
  return max === undefined ? "any" : `at most ${max}`;
}
