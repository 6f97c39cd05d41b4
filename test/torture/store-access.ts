import { readFile } from "node:fs/promises";
import type { RunId } from "../../src/domain/value-object/run-id.ts";
import { createResultLayout, defaultResultKey, stagingOf } from "../../src/infrastructure/repository/result-layout.ts";
import { openFileObjectStore } from "../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import { factsOf } from "../simulation/history.ts";
import { openTestStore } from "../support/s3.ts";
import type { S3Access } from "../support/s3-servers.ts";
import { madeFrom, sha256Of } from "./content.ts";
import type { Live, Partition } from "./verdict.ts";

export const dataset = "torture";
export const dates = Array.from({ length: 8 }, (_, index) => `2026-01-0${index + 1}`);
export const layout = createResultLayout(defaultResultKey, [dataset]);

/** What another process needs to open the same store. */
export type StoreAccess =
  | { readonly kind: "disk"; readonly folder: string; readonly scratchFolder: string }
  | { readonly kind: "s3"; readonly server: S3Access; readonly prefix: string; readonly scratchFolder: string };

export function openStore(access: StoreAccess): Promise<ObjectStore & Disposable> {
  if (access.kind === "disk") return openFileObjectStore(access.folder);
  const { server, prefix, scratchFolder } = access;
  return openTestStore(server, { prefix, scratchFolder });
}

export async function bytesAt(store: ObjectStore, key: string): Promise<Buffer | undefined> {
  await using copy = await store.local(key);
  return copy && (await readFile(copy.path));
}

/** While nobody writes to the date. */
export async function readPartition(store: ObjectStore, date: string): Promise<Partition> {
  const [seen, bytes, pointer, manifests] = await Promise.all([
    store.head(layout.result(dataset, date)),
    bytesAt(store, layout.result(dataset, date)),
    store.text(layout.manifest(dataset, date)),
    readManifests(store, date),
  ]);
  const live: Live | undefined = seen &&
    bytes && { sha256: sha256Of(bytes), metadata: seen.metadata, madeFrom: madeFrom(bytes) };
  return { date, live, pointer, manifests };
}

export async function countStaged(store: ObjectStore, runId: string): Promise<number> {
  return (await Array.fromAsync(store.list(stagingOf(runId as RunId)))).length;
}

async function readManifests(store: ObjectStore, date: string): Promise<ReadonlyMap<string, string>> {
  const listed = await Array.fromAsync(store.list(layout.manifests(dataset, date)));
  const texts = await Promise.all(listed.map(async ({ key }) => [key, (await store.text(key)) ?? ""] as const));
  return new Map(texts.filter(([, text]) => factsOf(text) !== undefined));
}
