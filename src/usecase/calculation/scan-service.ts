import { type DataType, type LazyDataFrame, pl } from "nodejs-polars";
import type { DatasetDefinition, Format } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure, InputInvalid, SourceUnavailable } from "../../domain/model/failure.ts";
import { readerType } from "../../domain/service/column-type-service.ts";
import type { ScannedFile } from "../../domain/service/contract-service.ts";

/**
 * A decompressed file. The path is one that this service made or resolved, or, with `cloudOptions`, the `s3:` address of a
 * Parquet file that is read in place; it is never taken for a pattern.
 */
export type InputFile = {
  readonly uri: string;
  readonly path: string;
  /** How the engine reaches the bucket, credentials included. */
  readonly cloudOptions?: Readonly<Record<string, string>>;
};

/**
 * A lazy view of the file with the columns it really has; text columns are read as the contract's types by name, and all
 * others as text, so that nothing is guessed from the data.
 * @throws InputInvalid when the file cannot be opened as its format; SourceUnavailable when its server does not give it
 */
export async function scan(file: InputFile, definition: DatasetDefinition): Promise<ScannedFile> {
  try {
    switch (definition.format.type) {
      case "csv":
        return scanCsv(file, definition, definition.format);
      case "ndjson":
        return scanNdjson(file, definition);
      case "parquet":
        return await withTypes(file, scanParquet(file));
      case "arrow":
        return await withTypes(file, pl.scanIPC(literalPattern(file.path)));
    }
  } catch (cause) {
    if (cause instanceof AnalysisFailure) throw cause;
    throwIfUnavailable(cause, [file]);
    throw new InputInvalid(`${file.uri} cannot be read as ${definition.format.type}: ${engineSentence(cause)}`, {
      cause,
    });
  }
}

/** @throws SourceUnavailable when the error of the engine is about a server that it reads one of the files from */
export function throwIfUnavailable(error: unknown, files: readonly Pick<InputFile, "uri">[]): void {
  const text = textOf(error);
  if (!isOfServer(text)) return;
  const file = files.find(({ uri }) => text.includes(`(path: ${uri})`));
  throw new SourceUnavailable(`${file?.uri ?? "the input"} could not be read to its end: ${engineSentence(error)}`);
}

/** The engine's message without its advice, plan and local paths, and without the words of a server. */
export function engineSentence(error: unknown): string {
  const text = textOf(error);
  if (isOfServer(text)) {
    const status = /status code: (\d{3})/.exec(text)?.[1];
    return status === undefined ? "its server cannot be reached, or broke off" : `its server answered ${status}`;
  }
  return (text.split("\n", 1)[0] ?? "").replaceAll(/(?:\/[\w.@+-]+){2,}/g, "…").slice(0, 300);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isOfServer(text: string): boolean {
  return text.includes("object-store error");
}

function scanParquet({ path, cloudOptions }: InputFile): LazyDataFrame {
  const cloud = cloudOptions === undefined ? {} : { cloudOptions };
  return pl.scanParquet(path, { glob: false, hivePartitioning: false, ...cloud });
}

function scanCsv(
  file: InputFile,
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

function scanNdjson(file: InputFile, definition: DatasetDefinition): ScannedFile {
  const types = new Map(Object.entries(definition.schema).map(([name, column]) => [name, readerType(column.type)]));
  const options = { schema: Object.fromEntries(types) } as Parameters<typeof pl.scanJson>[1];
  const frame = pl.scanJson(literalPattern(file.path), options);
  return { uri: file.uri, frame, columns: types, sparse: true, headed: false };
}

/** These readers take every path for a pattern and have no option against it. */
function literalPattern(path: string): string {
  return path.replaceAll(/[*?[]/g, "[$&]");
}

async function withTypes(file: InputFile, frame: LazyDataFrame): Promise<ScannedFile> {
  const { schema } = await frame.limit(0).collect();
  return {
    uri: file.uri,
    frame,
    columns: new Map(Object.entries(schema as Record<string, DataType>)),
    sparse: false,
    headed: false,
  };
}
