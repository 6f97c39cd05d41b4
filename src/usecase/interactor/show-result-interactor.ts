import { type DataFrame, type DataType, type LazyDataFrame, pl } from "nodejs-polars";
import { BadRequest, InputMissing } from "../../domain/model/failure.ts";
import { typeName } from "../../domain/service/column-type-service.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";
import type { Cell, ShowResultUseCase } from "../ports/input/show-result-usecase.ts";
import type { DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { ResultRepository } from "../ports/output/result-repository.ts";

export function createShowResultInteractor(catalog: DatasetCatalog, repository: ResultRepository): ShowResultUseCase {
  return {
    async show(dataset, date, limit) {
      const manifest = await find(dataset, date);
      if (manifest === undefined) {
        throw new InputMissing(`nothing is published for ${dataset} ${date}: run it first`);
      }
      await using copy = await repository.openResult(manifest);
      const scanned = pl.scanParquet(copy.path, { glob: false, hivePartitioning: false });
      const frame = await limited(scanned, limit).collect();
      return { dataset: manifest.dataset, date: manifest.date, manifest, rows: rowsOf(frame) };
    },
    manifest: find,
  };

  async function find(dataset: string, date: string) {
    const { id } = catalog.get(parseDatasetId(dataset));
    return repository.findPublished(id, parseTargetDate(date));
  }
}

/** Beyond it the engine's own number of rows begins again at 0. */
const mostRows = 2 ** 32 - 1;

function limited(scanned: LazyDataFrame, limit: number | undefined): LazyDataFrame {
  if (limit === undefined || limit > mostRows) return scanned;
  if (!Number.isInteger(limit) || limit < 0) throw new BadRequest(`limit must be a number of rows, got ${limit}`);
  return scanned.limit(limit);
}

type Row = Readonly<Record<string, Cell>>;

/** The binding rounds integers beyond 2^53 and knows no decimals: they cross as text, and columns of several values as JSON. */
function rowsOf(frame: DataFrame): readonly Row[] {
  const types = new Map(
    Object.entries(frame.schema as Record<string, DataType>).map(([name, type]) => [name, typeName(type)]),
  );
  const named = (pattern: RegExp) => frame.columns.filter((name) => pattern.test(types.get(name) ?? ""));
  const integers = new Set(named(/^U?Int64$/));
  const text = new Set(named(/^(?:Int64|UInt64|Decimal|Date|Datetime|Time)\b/));
  const nested = new Set(named(/^(?:List|Struct|FixedSizeList)\b/));
  const flat = frame.columns.filter((name) => !nested.has(name));
  const records = frame
    .select(...flat.map((name) => (text.has(name) ? pl.col(name).cast(pl.String) : pl.col(name))))
    .toRecords() as readonly Row[];
  const json = nested.size === 0 ? [] : parseRows(frame.select(...nested).writeJSON({ format: "json" }));
  return Array.from({ length: frame.height }, (_, row) =>
    Object.fromEntries(
      frame.columns.map((name) => {
        const value = (nested.has(name) ? json : records)[row]?.[name] ?? null;
        return [name, integers.has(name) && typeof value === "string" ? integerOf(value) : value];
      }),
    ),
  );
}

function parseRows(json: Buffer): readonly Row[] {
  return JSON.parse(json.toString(), (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && /^-?\d+$/.test(context?.source ?? "") ? integerOf(context?.source ?? "") : value,
  ) as readonly Row[];
}

function integerOf(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
