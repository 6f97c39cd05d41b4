import { type DataFrame, type DataType, pl } from "nodejs-polars";
import { InputMissing } from "../../domain/model/failure.ts";
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
      const frame = await (limit === undefined ? scanned : scanned.limit(limit)).collect();
      return { dataset: manifest.dataset, date: manifest.date, manifest, rows: rowsOf(frame) };
    },
    manifest: find,
  };

  async function find(dataset: string, date: string) {
    const { id } = catalog.get(parseDatasetId(dataset));
    return repository.findPublished(id, parseTargetDate(date));
  }
}

/** The binding rounds integers beyond 2^53 and knows no decimals: such columns cross as text. */
function rowsOf(frame: DataFrame): readonly Readonly<Record<string, Cell>>[] {
  const types = Object.entries(frame.schema as Record<string, DataType>);
  const asText = types.filter(([, type]) => /^(?:Int64|UInt64|Decimal|Date|Datetime|Time)/.test(typeName(type)));
  const text = asText.length === 0 ? frame : frame.withColumns(...asText.map(([name]) => pl.col(name).cast(pl.String)));
  const integers = new Set(types.filter(([, type]) => /^U?Int64$/.test(typeName(type))).map(([name]) => name));
  return text
    .toRecords()
    .map((record) =>
      Object.fromEntries(
        Object.entries(record as Record<string, Cell>).map(([name, value]) => [
          name,
          integers.has(name) && typeof value === "string" ? integerOf(value) : value,
        ]),
      ),
    );
}

function integerOf(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
