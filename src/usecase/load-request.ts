import { dirname } from "node:path";
import type { RunId } from "../domain/value-object/run-id.ts";
import type { TargetDate } from "../domain/value-object/target-date.ts";
import type { CatalogEntry } from "./ports/output/dataset-catalog.ts";
import type { LoadRequest } from "./ports/output/dataset-loader.ts";

/** What a loader is asked for one date of a definition; relative addresses start at the definition's folder. */
export function loadRequestOf({ id, definition, file }: CatalogEntry, date: TargetDate, runId: RunId): LoadRequest {
  const { source, format } = definition;
  return { dataset: id, date, runId, source, format, folder: dirname(file) };
}
