import type { DatasetDefinition } from "../../../domain/model/dataset-definition.ts";
import type { DatasetId } from "../../../domain/value-object/dataset-id.ts";

export type CatalogEntry = {
  readonly id: DatasetId;
  readonly definition: DatasetDefinition;
  /** sha256 over the source of the definition and of every local file that it imports. */
  readonly digest: string;
  /** Path of the definition's file. */
  readonly file: string;
};

/** The definitions as they were when the process started. */
export interface DatasetCatalog {
  /** @throws UnknownDataset */
  get(id: DatasetId): CatalogEntry;
  /** By id. */
  list(): readonly CatalogEntry[];
}
