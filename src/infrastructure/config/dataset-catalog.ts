import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { BadRequest, UnknownDataset } from "../../domain/model/failure.ts";
import type { DatasetId } from "../../domain/value-object/dataset-id.ts";
import type { CatalogEntry, DatasetCatalog } from "../../usecase/ports/output/dataset-catalog.ts";
import { importDefinition } from "./definition-modules.ts";
import { parseDefinition } from "./definition-schema.ts";

export type SourceCheck = (entry: CatalogEntry) => void;

/**
 * Loads every `<id>.ts` (or `.js`, `.mjs`) of the folder; subfolders are for what definitions import.
 * @param checkSource refuses a source that no loader can read
 * @throws BadRequest with every definition that cannot be loaded, by file and field
 */
export async function loadDatasetCatalog(folder: string, checkSource: SourceCheck): Promise<DatasetCatalog> {
  const root = resolve(folder);
  const loaded = await Promise.allSettled(
    (await definitionFiles(root)).map((file) => loadDefinition(file, checkSource)),
  );
  const faults = loaded.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
  const entries = loaded.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  for (const { id, file } of entries) {
    const other = byId.get(id)?.file;
    if (other !== undefined && other !== file) faults.push(`${file}: id: ${id} is also that of ${other}`);
  }
  if (faults.length > 0) throw new BadRequest(faults.join("\n"));
  const sorted = [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));

  return {
    get(id) {
      const entry = byId.get(id);
      if (entry !== undefined) return entry;
      const known = sorted.map((other) => other.id).join(", ");
      throw new UnknownDataset(`there is no dataset ${id} in ${root}${known === "" ? "" : `, known are ${known}`}`);
    },
    list: () => sorted,
  };
}

async function definitionFiles(root: string): Promise<string[]> {
  try {
    const entries = await readdir(root, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && /^(?!.*\.d\.ts$)[^_.].*\.(?:ts|js|mjs)$/.test(entry.name))
      .map((entry) => join(root, entry.name))
      .toSorted();
  } catch (cause) {
    throw new BadRequest(`DATASETS must be a folder of definitions, ${root} cannot be read`, { cause });
  }
}

async function loadDefinition(file: string, checkSource: SourceCheck): Promise<CatalogEntry> {
  const { value, digest } = await importDefault(file);
  const parsed = parseDefinition(value);
  if ("fault" in parsed) throw new BadRequest(`${file}: ${parsed.fault}`);
  const { definition } = parsed;
  const expected = basename(file).replace(/\.\w+$/, "");
  if (definition.id !== expected) {
    throw new BadRequest(`${file}: id: must be the name of the file, ${expected}, got ${definition.id}`);
  }
  const entry = { id: definition.id as DatasetId, definition, digest, file };
  try {
    checkSource(entry);
  } catch (cause) {
    throw new BadRequest(`${file}: source.uri: ${messageOf(cause)}`, { cause });
  }
  return entry;
}

async function importDefault(file: string): Promise<{ readonly value: unknown; readonly digest: string }> {
  try {
    const { exports, digest } = await importDefinition(file);
    if (exports.default === undefined) {
      throw new BadRequest(`${file}: must have a default export, made by defineDataset`);
    }
    return { value: exports.default, digest };
  } catch (cause) {
    if (cause instanceof BadRequest) throw cause;
    throw new BadRequest(`${file}: cannot be loaded: ${loadError(cause)}`, { cause });
  }
}

/** A syntax error's place is in the stack, not in the message. */
function loadError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /^(?:file:\/\/)?\S+?:(\d+)$/m.exec(error.stack ?? "")?.[1];
  const message = error.message.split("\n", 1)[0] ?? "";
  return place === undefined || !(error instanceof SyntaxError) ? message : `${message.trim()} (line ${place})`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
