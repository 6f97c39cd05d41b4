import { type DataType, type Expr, type LazyDataFrame, pl } from "nodejs-polars";
import type { Column, DatasetDefinition, Schema } from "../model/dataset-definition.ts";
import { InputInvalid } from "../model/failure.ts";
import { isConverted, readerType, scaleOf, typeName, widening } from "./column-type-service.ts";
import { rememberFor } from "./remember-service.ts";
import { textPattern } from "./text-pattern-service.ts";

/** A file as the reader sees it: `columns` in file order, with the types that it has. */
export type ScannedFile = {
  readonly uri: string;
  readonly frame: LazyDataFrame;
  readonly columns: ReadonlyMap<string, DataType>;
  /** Whether missing columns show as nulls anyway, as the keys of NDJSON do. */
  readonly sparse: boolean;
  /** Whether a line of the file names the columns, so that files put together hold it again. */
  readonly headed: boolean;
};

/** A condition that no row may meet. */
export type Violation = {
  readonly column: string;
  readonly what: string;
  readonly condition: Expr;
  readonly value: Expr;
};

/** A file matched with the contract. Expressions are few: each costs 0.3 ms to build in this binding. */
export type ConformedFile = Matched & {
  readonly uri: string;
  readonly frame: LazyDataFrame;
  readonly notes: readonly string[];
};

/** What only depends on the contract and on the columns that a file has. */
type Matched = {
  /** The columns of the contract over the file's frame, typed. */
  readonly columns: readonly Expr[];
  /** Fails the query where a row breaks the contract; nothing when no row can. */
  readonly guard: Expr | undefined;
  /** The same in detail, for the message of a failure. */
  violations(): readonly Violation[];
};

const largestExactFloat = String(2 ** 53);
const byteOrderMark = "\ufeff";
/** A row that begins with this many column names is a header. */
const comparedColumns = 8;
const noInt8 = pl.lit(0).cast(pl.Int8);
const noUInt8 = pl.lit(0).cast(pl.UInt8);
const no = pl.lit(false);

/**
 * Matches a file with the contract by column name: order does not matter, lossless widening is done, a missing nullable
 * column is all null, and a column that the contract does not name is noted and left out. The columns of every file come
 * in the order of the contract.
 * @throws InputInvalid when a column is missing, or has a type that could lose values
 */
export function conform(file: ScannedFile, definition: DatasetDefinition): ConformedFile {
  refuseRepeats(file, definition.schema);
  refuseMissing(file, definition.schema);
  const types = [...file.columns].map(([name, type]) => [name, typeName(type)]);
  const matched = remember(definition, JSON.stringify([file.headed, types]), () => match(file, definition));
  const extra = extraColumns(file, definition.schema);
  const notes = extra.length === 0 ? [] : [`${file.uri} also has ${list(extra)}, which the contract does not name`];
  return { ...matched, uri: file.uri, frame: file.frame, notes };
}

const remember = rememberFor<DatasetDefinition, Matched>();

function match(file: ScannedFile, definition: DatasetDefinition): Matched {
  const columns: (string | Expr)[] = [];
  const lossy: Violation[] = [];
  for (const [name, column] of Object.entries(definition.schema)) {
    const actual = file.columns.get(name);
    if (actual !== undefined && typeName(actual) === typeName(column.type)) {
      columns.push(name);
      continue;
    }
    const { expression, lost } = convert(file.uri, name, column, actual);
    columns.push(expression.alias(name));
    if (lost !== undefined) lossy.push({ column: name, value: pl.col(name), ...lost });
  }
  const required = Object.entries(definition.schema)
    .filter(([name, column]) => column.nullable !== true && file.columns.has(name))
    .map(([name]) => name);
  lossy.push(...repeatedHeader(file));
  const conditions = [
    ...(required.length === 0 ? [] : [pl.cols(required).isNull()]),
    ...lossy.map(({ condition }) => condition.fillNull(no)),
  ];
  return {
    columns: fewExpressions(columns),
    guard: conditions.length === 0 ? undefined : guardAgainst(pl.anyHorizontal(conditions)),
    violations: () => [...lossy, ...required.map(missingValue)],
  };
}

/** Polars has no "raise": a strict cast of -1 to an unsigned type is one. It costs nothing next to reading the rows. */
function guardAgainst(broken: Expr): Expr {
  return noInt8.minus(broken.cast(pl.Int8)).cast(pl.UInt8, true).eq(noUInt8);
}

/** The rows of the contract, violations included. */
export function unguardedRows(file: ConformedFile): LazyDataFrame {
  return file.frame.select(...file.columns);
}

/**
 * The rows of the contract, with a guard inside: a query over them fails at the first batch that holds a violation,
 * whatever the query reads. One pass, and no row is ever dropped.
 */
export function guardedRows(file: ConformedFile): LazyDataFrame {
  return file.guard === undefined ? unguardedRows(file) : file.frame.filter(file.guard).select(...file.columns);
}

/** One row: for each violation how many rows meet it (`n0`, `n1`, …) and the first value that does (`v0`, `v1`, …). */
export function violationCounts(frame: LazyDataFrame, violations: readonly Violation[]): LazyDataFrame {
  return frame.select(
    ...violations.flatMap(({ condition, value }, index) => [
      condition.fillNull(no).sum().alias(`n${index}`),
      value.filter(condition).first().cast(pl.String, false).alias(`v${index}`),
    ]),
  );
}

/** One expression for each run of columns that are taken as they are. */
function fewExpressions(columns: readonly (string | Expr)[]): readonly Expr[] {
  const expressions: Expr[] = [];
  let names: string[] = [];
  for (const column of [...columns, undefined]) {
    if (typeof column === "string") {
      names.push(column);
      continue;
    }
    if (names.length > 0) expressions.push(pl.cols(names));
    names = [];
    if (column !== undefined) expressions.push(column);
  }
  return expressions;
}

/** The header in the middle of a file, as shards put together have it. A column that is no text tells it by itself. */
function repeatedHeader(file: ScannedFile): readonly Violation[] {
  const names = [...file.columns.keys()].slice(0, comparedColumns);
  const [first] = names;
  const allText = [...file.columns.values()].every((type) => typeName(type) === "String");
  if (!file.headed || first === undefined || !allText) return [];
  const matches = names.map((name) => {
    const texts = name === first ? [name, byteOrderMark + name] : [name];
    return pl.col(name).isIn(texts);
  });
  return [{ column: first, what: "the header again", condition: pl.allHorizontal(matches), value: pl.col(first) }];
}

function missingValue(column: string): Violation {
  const value = pl.col(column);
  return { column, what: "missing, where the contract allows none", condition: value.isNull(), value };
}

type Lost = { readonly what: string; readonly condition: Expr };

function convert(
  uri: string,
  name: string,
  column: Column,
  actual: DataType | undefined,
): { expression: Expr; lost?: Lost } {
  if (actual === undefined) return { expression: pl.lit(null).cast(column.type) };
  if (isConverted(column.type) && typeName(actual) === typeName(readerType(column.type))) {
    return fromText(name, column);
  }
  const fit = widening(actual, column.type);
  if (fit === undefined) {
    throw new InputInvalid(
      `${uri} has ${name} as ${typeName(actual)}, the contract declares ${typeName(column.type)}, and values could be lost`,
    );
  }
  const value = pl.col(name);
  const expression = value.cast(column.type);
  if (fit === "exact") return { expression };
  // Beside a number the engine would compare as Float64, to which 2^53 + 1 is 2^53.
  const [largest, smallest] = [largestExactFloat, `-${largestExactFloat}`].map((digits) => pl.lit(digits).cast(actual));
  const condition = value.gt(largest).or(value.lt(smallest));
  return { expression, lost: { what: "beyond what a Float64 holds exactly", condition } };
}

function fromText(name: string, column: Column): { expression: Expr; lost: Lost } {
  const text = pl.col(name);
  const pattern = textPattern(column.type, column.format);
  const expression = parseText(text, column);
  const unparsed = text.isNotNull().and(expression.isNull());
  const condition = pattern === undefined ? unparsed : unparsed.or(text.str.contains(pattern).not());
  const form =
    column.format ?? (column.type.variant === "Decimal" ? `at most ${scaleOf(column.type)} decimals` : "ISO 8601");
  return { expression, lost: { what: `not a ${typeName(column.type)} (${form})`, condition } };
}

function parseText(text: Expr, { type, format }: Column): Expr {
  switch (type.variant) {
    case "Date":
      return text.str.strptime(pl.Date, format ?? "%Y-%m-%d");
    case "Datetime": {
      const parsed =
        format === undefined
          ? text.str.replace("T", " ").str.strptime(pl.Datetime, "%Y-%m-%d %H:%M:%S%.f")
          : text.str.strptime(pl.Datetime, format);
      return parsed.cast(type);
    }
    default:
      return text.cast(type, false);
  }
}

/** A nullable column may be missing, but not every column. */
function refuseMissing(file: ScannedFile, schema: Schema): void {
  if (file.sparse) return;
  const absent = Object.keys(schema).filter((name) => !file.columns.has(name));
  const required = absent.filter((name) => schema[name]?.nullable !== true);
  const missing = absent.length === Object.keys(schema).length ? absent : required;
  if (missing.length === 0) return;
  const extra = extraColumns(file, schema);
  const unexpected = extra.length > 0 ? `; it has ${list(extra)}, which the contract does not name` : "";
  throw new InputInvalid(`${file.uri} lacks ${list(missing)} of the contract${unexpected}`);
}

function extraColumns(file: ScannedFile, schema: Schema): readonly string[] {
  return [...file.columns.keys()].filter((name) => !Object.hasOwn(schema, name));
}

/** The engine renames the second `a` of a header to `a_duplicated_0`. */
function refuseRepeats(file: ScannedFile, schema: Schema): void {
  for (const name of file.columns.keys()) {
    const original = name.replace(/_duplicated_\d+$/, "");
    if (original !== name && Object.hasOwn(schema, original) && !Object.hasOwn(schema, name)) {
      throw new InputInvalid(`${file.uri} has two columns with the name ${original}`);
    }
  }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(shownName).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

/** In quotes where a reader could not see it as it is. */
function shownName(name: string): string {
  return /^$|^\s|\s$|[\p{C},]/u.test(name) ? JSON.stringify(name) : name;
}
