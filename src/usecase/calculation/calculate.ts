import { type DataFrame, type DataType, type LazyDataFrame, pl } from "nodejs-polars";
import type { Calculation, CheckResult } from "../../domain/model/analysis-result.ts";
import type { DatasetDefinition } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure, Crashed, InputInvalid } from "../../domain/model/failure.ts";
import { analyze } from "../../domain/service/analyze-service.ts";
import { type Audit, audit, readsRows } from "../../domain/service/audit-service.ts";
import { typeName } from "../../domain/service/column-type-service.ts";
import {
  type ConformedFile,
  conform,
  guardedRows,
  unguardedRows,
  type Violation,
  violationCounts,
} from "../../domain/service/contract-service.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import { engineSentence, type InputFile, scan, throwIfUnavailable } from "./scan-service.ts";

export type CalculationOrder = {
  readonly definition: DatasetDefinition;
  readonly date: TargetDate;
  readonly files: readonly InputFile[];
  /** Where the result is written; must not exist. */
  readonly resultPath: string;
};

/**
 * Scan, contract, analysis, ordered Parquet, audit of what was written. Streaming: memory follows the analysis, not the
 * size of the input. A result that fails its checks is returned with them.
 * @throws InputInvalid when the bytes break the contract; SourceUnavailable when the server of a file that is read in
 * place does not give them; Crashed when the analysis cannot run
 */
export async function calculate({ definition, date, files, resultPath }: CalculationOrder): Promise<Calculation> {
  const conformed: ConformedFile[] = [];
  for (const file of files) conformed.push(conform(await scan(file, definition), definition));
  try {
    // The engine counts the rows while this thread builds the analysis, and audits nothing before it is written.
    const counting = auditRows(definition, conformed);
    const [rows, written] = await Promise.all([counting, write({ definition, date, conformed, resultPath })]);
    return {
      rows: written.rows,
      columns: written.columns,
      checks: [...rows.checks, ...written.checks],
      rowsRead: rows.rows,
      notes: conformed.flatMap((file) => file.notes),
    };
  } catch (error) {
    throwIfUnavailable(error, files);
    await explainInput(definition, conformed);
    if (error instanceof AnalysisFailure) throw error;
    throw new Crashed(`the analysis of ${definition.id} failed: ${engineSentence(error)}`, { cause: error });
  }
}

type WriteOrder = Omit<CalculationOrder, "files"> & { readonly conformed: readonly ConformedFile[] };

async function write({
  definition,
  date,
  conformed,
  resultPath,
}: WriteOrder): Promise<Audited & Pick<Calculation, "columns">> {
  const result = analyze(definition, together(conformed.map(guardedRows)), date);
  const writing = result
    .sinkParquet(resultPath, { compression: "zstd", maintainOrder: true })
    .collect(rowPlan(definition));
  const [{ select, read }] = await Promise.all([buildAudit(definition, result), writing]);
  const written = pl.scanParquet(resultPath, { glob: false, hivePartitioning: false });
  const [empty, counts] = await Promise.all([written.limit(0).collect(), written.select(...select).collect()]);
  const types = new Map(Object.entries(empty.schema as Record<string, DataType>));
  const columns = empty.columns.map((name) => ({ name, type: typeName(types.get(name) as DataType) }));
  return { ...read(firstRow(counts)), columns };
}

async function buildAudit(definition: DatasetDefinition, result: LazyDataFrame): Promise<Audit> {
  return audit(definition, result.columns, "result");
}

/**
 * How a query over the rows of the contract is planned. Polars 0.54 would else break two promises:
 * with projection pushed into a scan of text it loses rows without an error when a column that is not read holds a stray
 * quote, so every field of every row is parsed, at a cost of about a third; and with predicates pushed down a filter of
 * the analysis could hide rows from the guard, whose error moreover aborts the process inside a scan of Parquet.
 */
function rowPlan({ format }: DatasetDefinition): { projectionPushdown: boolean; predicatePushdown: boolean } {
  return { projectionPushdown: format.type === "parquet" || format.type === "arrow", predicatePushdown: false };
}

function together(frames: readonly LazyDataFrame[]): LazyDataFrame {
  const [first] = frames;
  if (first === undefined) throw new InputInvalid("there is no input file");
  return frames.length === 1 ? first : pl.concat([...frames], { how: "vertical" });
}

type Audited = { readonly rows: number; readonly checks: readonly CheckResult[] };

async function auditRows(definition: DatasetDefinition, files: readonly ConformedFile[]): Promise<Audited> {
  const { select, read } = audit(definition, Object.keys(definition.schema), "rows");
  if (readsRows(definition)) {
    return read(
      firstRow(
        await together(files.map(unguardedRows))
          .select(...select)
          .collect(rowPlan(definition)),
      ),
    );
  }
  // A bare count may use the engine's fast path: what that cannot see, the analysis meets in full width.
  const counts = await Promise.all(files.map((file) => file.frame.select(...select).collect()));
  return read({ rows: counts.reduce((sum, count) => sum + Number(firstRow(count)["rows"]), 0) });
}

/**
 * Tells whether the input is at fault for a failed query, by reading it without the analysis.
 * @throws InputInvalid when it is; SourceUnavailable when that cannot be seen
 */
async function explainInput(definition: DatasetDefinition, files: readonly ConformedFile[]): Promise<void> {
  for (const file of files) {
    const violations = file.violations();
    const counts = await countViolations(definition, file, violations);
    const broken = violations.flatMap(({ column, what }, index) => {
      const rows = Number(counts[`n${index}`] ?? 0);
      const value = counts[`v${index}`];
      const example = typeof value === "string" ? `, first ${JSON.stringify(value.slice(0, 60))}` : "";
      return rows === 0 ? [] : [`${column} is ${what}, in ${rows} row${rows === 1 ? "" : "s"}${example}`];
    });
    if (broken.length > 0) throw new InputInvalid(`${file.uri} breaks the contract: ${broken.join("; ")}`);
  }
}

async function countViolations(
  definition: DatasetDefinition,
  file: ConformedFile,
  violations: readonly Violation[],
): Promise<Readonly<Record<string, unknown>>> {
  try {
    const query = violations.length === 0 ? file.frame.select(pl.len()) : violationCounts(file.frame, violations);
    return firstRow(await query.collect(rowPlan(definition)));
  } catch (cause) {
    throwIfUnavailable(cause, [file]);
    const sentence = engineSentence(cause);
    throw new InputInvalid(`${file.uri} cannot be read: ${await namingColumn(definition, file, sentence)}`, { cause });
  }
}

/** The engine's words, with what they leave out. */
async function namingColumn(definition: DatasetDefinition, file: ConformedFile, sentence: string): Promise<string> {
  const again = /^could not parse `(.+)` as .* at column '\1'/.exec(sentence);
  if (again !== null) return `the header comes again, in a row that has ${again[1]} as ${again[1]}`;
  // Of NDJSON no column is named, unless the line itself is at fault: the first that cannot be read alone is the one.
  if (definition.format.type !== "ndjson" || /\bline\b/.test(sentence)) return sentence;
  for (const name of Object.keys(definition.schema)) {
    const alone = file.frame.select(pl.col(name).nullCount()).collect();
    const readable = await alone.then(
      () => true,
      () => false,
    );
    if (!readable) return `${name}: ${sentence}`;
  }
  return sentence;
}

function firstRow(frame: DataFrame): Readonly<Record<string, unknown>> {
  return frame.toRecords()[0] ?? {};
}
