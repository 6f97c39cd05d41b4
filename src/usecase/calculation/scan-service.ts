import { type DataType, type LazyDataFrame, pl } from "nodejs-polars";
import type { DatasetDefinition, Format } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure, InputInvalid } from "../../domain/model/failure.ts";
import { readerType } from "../../domain/service/column-type-service.ts";
import type { ScannedFile } from "../../domain/service/contract-service.ts";

/** A decompressed local file. The path is one that this service made or resolved, never a user's text. */
export type LocalFile = { readonly uri: string; readonly path: string };

/**
 * A lazy view of the file with the columns it really has; text columns are read as the contract's types by name, and all
 * others as text, so that nothing is guessed from the data.
 * @throws InputInvalid when the file cannot be opened as its format
 */
export async function scan(file: LocalFile, definition: DatasetDefinition): Promise<ScannedFile> {
  try {
    switch (definition.format.type) {
      case "csv":
        return scanCsv(file, definition, definition.format);
      case "ndjson":
        return scanNdjson(file, definition);
      case "parquet":
        return await withTypes(file, pl.scanParquet(file.path, { glob: false, hivePartitioning: false }));
      case "arrow":
        return await withTypes(file, pl.scanIPC(literalPattern(file.path)));
    }
  } catch (cause) {
    if (cause instanceof AnalysisFailure) throw cause;
    throw new InputInvalid(`${file.uri} cannot be read as ${definition.format.type}: ${engineSentence(cause)}`, {
      cause,
    });
  }
}

/** The engine's message without its advice, plan and local paths. */
export function engineSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n", 1)[0] ?? "").replaceAll(/(?:\/[\w.@+-]+){2,}/g, "…").slice(0, 300);
}

function scanCsv(
  file: LocalFile,
  definition: DatasetDefinition,
  format: Extract<Format, { type: "csv" }>,
): ScannedFile {
  const declared = new Map(Object.entries(definition.schema).map(([name, column]) => [name, readerType(column.type)]));
  const frame = pl.scanCSV(file.path, {
    sep: format.separator ?? ",",
    quoteChar: format.quoteChar ?? '"',
    ...(format.nullValues === undefined ? {} : { nullValues: [...format.nullValues] }),
    glob: false,
    inferSchemaLength: 0,
    // By name, which the option `schema` is not: JavaScript puts the columns of a header `2020,2019` in another order.
    overwriteDtype: Object.fromEntries(declared),
  } as Parameters<typeof pl.scanCSV>[1]);
  const header = frame.columns;
  // The engine would take the whole file for a header, and find no rows.
  if (header.some((name) => name.includes("\r"))) {
    throw new InputInvalid(`${file.uri} has lines that end in CR alone: write it with LF or CR LF`);
  }
  const types = new Map(header.map((name): [string, DataType] => [name, declared.get(name) ?? pl.String]));
  return { uri: file.uri, frame, columns: types, sparse: false, headed: true };
}

function scanNdjson(file: LocalFile, definition: DatasetDefinition): ScannedFile {
  const types = new Map(Object.entries(definition.schema).map(([name, column]) => [name, readerType(column.type)]));
  const options = { schema: Object.fromEntries(types) } as Parameters<typeof pl.scanJson>[1];
  const frame = pl.scanJson(literalPattern(file.path), options);
  return { uri: file.uri, frame, columns: types, sparse: true, headed: false };
}

/** These readers take every path for a pattern and have no option against it. */
function literalPattern(path: string): string {
  return path.replaceAll(/[*?[]/g, "[$&]");
}

async function withTypes(file: LocalFile, frame: LazyDataFrame): Promise<ScannedFile> {
  const { schema } = await frame.limit(0).collect();
  return {
    uri: file.uri,
    frame,
    columns: new Map(Object.entries(schema as Record<string, DataType>)),
    sparse: false,
    headed: false,
  };
}
