import { posix } from "node:path";
import { BadRequest } from "../../domain/model/failure.ts";
import { type Fence, fenceKey } from "../../domain/value-object/fence.ts";
import { isRunId, type RunId } from "../../domain/value-object/run-id.ts";
import { isTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";

export const defaultResultKey = "{dataset}/{date}/result.parquet";

/** Where things lie in the store. Keys are built here and nowhere else, from checked parts. */
export interface ResultLayout {
  /** The stable key that readers know. */
  result(dataset: string, date: string): string;
  /** The pointer beside it. */
  manifest(dataset: string, date: string): string;
  /** Immutable manifests of the partition. */
  manifests(dataset: string, date: string): string;
  immutable(
    dataset: string,
    date: string,
    run: { readonly fence: Fence; readonly runId: RunId; readonly digest: string },
  ): string;
  /** Whether this is the stable key of any dataset and date, of datasets that are gone as well. */
  isResult(key: string): boolean;
  /** Below it lie all results of the dataset, and maybe more. */
  results(dataset: string): string;
  /** The date whose stable key this is; nothing for another key. */
  dateOf(dataset: string, key: string): TargetDate | undefined;
}

/**
 * @param template of the stable key, such as `{dataset}/{date}/result.parquet`
 * @throws BadRequest when two dates, or two of the datasets, would share a folder
 */
export function createResultLayout(template: string, datasets: readonly string[]): ResultLayout {
  refuseTemplate(template);
  if (!template.includes("{dataset}") && datasets.length > 1) {
    throw new BadRequest(
      `RESULT_KEY ${template} gives the datasets ${datasets.join(", ")} the same key: put {dataset} into it`,
    );
  }
  const result = (dataset: string, date: string) =>
    template.replaceAll("{dataset}", dataset).replaceAll("{date}", date);
  const folder = (dataset: string, date: string) => posix.dirname(result(dataset, date));
  const pattern = (dataset: string, date: string) =>
    new RegExp(`^${template.replaceAll(".", "\\.").replaceAll("{dataset}", dataset).replaceAll("{date}", date)}$`);
  const [beforeDate = ""] = template.split("{date}", 1);
  const anyDate = "(\\d{4}-\\d\\d-\\d\\d)";
  const anyResult = pattern("[a-z0-9-]+", anyDate);
  return {
    result,
    manifest: (dataset, date) => `${folder(dataset, date)}/manifest.json`,
    manifests: (dataset, date) => `${folder(dataset, date)}/_manifests/`,
    immutable: (dataset, date, { fence, runId, digest }) =>
      `${folder(dataset, date)}/_manifests/${fenceKey(fence)}-${runId}-${digest.slice(0, 12)}.json`,
    isResult: (key) => anyResult.test(key),
    results: (dataset) => beforeDate.replace(/[^/]*$/, "").replaceAll("{dataset}", dataset),
    dateOf(dataset, key) {
      const date = pattern(dataset, anyDate).exec(key)?.[1];
      return date !== undefined && isTargetDate(date) && result(dataset, date) === key ? date : undefined;
    },
  };
}

/** Where the index of a dataset lies: an object for each year, and a mark that it was whole once. */
export const indexLayout = {
  folder: (dataset: string) => `_index/${dataset}/`,
  year: (dataset: string, year: string) => `_index/${dataset}/${year}.jsonl`,
  whole: (dataset: string) => `_index/${dataset}/whole`,
};

/** Where all runs stage. */
export const stagingFolder = "_staging/";

export function stagingOf(runId: RunId): string {
  return `${stagingFolder}${runId}/`;
}

/** The run that a key is staged for; nothing for a key of another kind. */
export function stagedFor(key: string): RunId | undefined {
  const runId = key.startsWith(stagingFolder) ? key.slice(stagingFolder.length).split("/", 2)[0] : undefined;
  return isRunId(runId) && key.length > stagingOf(runId).length ? runId : undefined;
}

function refuseTemplate(template: string): void {
  const parts = template.split("/");
  const name = parts.at(-1) ?? "";
  const folder = parts.slice(0, -1);
  const unknown = template.match(/\{(?!dataset\}|date\})[^}]*\}?/)?.[0];
  const expected = "RESULT_KEY must look like {dataset}/{date}/result.parquet";
  if (unknown !== undefined) throw new BadRequest(`${expected}: ${unknown} is not known, got ${template}`);
  if (!folder.some((part) => part.includes("{date}"))) {
    throw new BadRequest(`${expected}, with {date} in a folder, got ${template}`);
  }
  if (!/^[\w.-]+\.parquet$/.test(name) || name.startsWith(".")) {
    throw new BadRequest(`${expected}, with a plain file name that ends in .parquet, got ${template}`);
  }
  if (!folder.every((part) => /^(?:[\w=-]|\{dataset\}|\{date\}|(?<!^)\.)+$/.test(part)) || folder[0]?.startsWith("_")) {
    throw new BadRequest(`${expected}, relative, with plain folder names, got ${template}`);
  }
}
