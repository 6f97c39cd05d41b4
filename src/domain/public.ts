import type { DatasetDefinition, Schema } from "./model/dataset-definition.ts";

export { default as pl } from "nodejs-polars";
export type {
  AnalysisContext,
  Check,
  Column,
  Compute,
  DatasetDefinition,
  Format,
  Schema,
  Source,
} from "./model/dataset-definition.ts";
export { accepted, holds, inRange, notNull, rowCount, unique } from "./service/check-service.ts";

/** Gives a definition its types; `datasets/<id>.ts` exports the result as default. Values are validated when it is loaded. */
export function defineDataset<const S extends Schema>(definition: DatasetDefinition<S>): DatasetDefinition<S> {
  return definition;
}
