import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import { StoreUnavailable, StoreUnsafe } from "../../domain/model/failure.ts";
import { isOlder, parseFence } from "../../domain/value-object/fence.ts";
import { parseRunId, type RunId } from "../../domain/value-object/run-id.ts";
import type { RunMode } from "../../domain/value-object/run-mode.ts";
import type { ManifestDraft, Publication } from "../../usecase/ports/output/result-repository.ts";
import type { ObjectInfo, ObjectStore, PutCondition } from "../store/object-store.ts";
import { parseManifest, printManifest } from "./manifest-schema.ts";
import type { ResultLayout } from "./result-layout.ts";

/*
 * Fenced compare-and-swap on the stable key. What holds at every moment, with any crash, lost response or zombie:
 *
 * 1. The write to the stable key is the commit, and the only one. It is conditional on what was seen there before.
 * 2. An older intent (fence, then run id) never replaces a newer one: fences at the stable key only rise.
 * 3. A run commits at most once: who finds its own run id there is done.
 * 4. Bytes differ between runs, since each result is stamped with its run: an etag that was seen cannot come back.
 * 5. The immutable manifest exists before the commit names it, so that the history can be walked from any result.
 * 6. A refused condition means "unknown": the loop reads back and decides again.
 * 7. manifest.json only ever follows a commit. It is derived, and any later call puts it right.
 */

const attempts = 50;

/** The metadata of the object at the stable key. */
type Committed = {
  readonly dataset: string;
  readonly runId: RunId;
  readonly fence: Manifest["fence"];
  readonly manifest: string;
};

export async function publish(
  store: ObjectStore,
  layout: ResultLayout,
  draft: ManifestDraft,
  mode: RunMode,
): Promise<Publication> {
  const { dataset, date } = draft;
  const key = layout.result(dataset, date);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const seen = await store.head(key);
    const current = seen === undefined ? undefined : committedAt(seen, dataset);
    if (current !== undefined) {
      const settled = await settle(store, layout, draft, mode, current);
      if (settled !== undefined) return settled;
    }

    const manifest = await record(store, complete(draft, layout, current));
    const condition: PutCondition = seen === undefined ? { ifAbsent: true } : { ifMatch: seen.etag };
    if (await commit(store, key, draft, manifest, condition)) {
      await follow(store, layout, manifest);
      return { outcome: "published", manifest };
    }
    await sleep(Math.random() * 20 * attempt);
  }
  throw new StoreUnavailable(`${key} was changed by others ${attempts} times while ${draft.runId} tried to publish`);
}

/** What the stable key says, as its manifest, with the pointer put right. */
export async function readPublished(
  store: ObjectStore,
  layout: ResultLayout,
  dataset: string,
  date: string,
): Promise<Manifest | undefined> {
  const seen = await store.head(layout.result(dataset, date));
  return seen === undefined ? undefined : readManifest(store, committedAt(seen, dataset).manifest);
}

/** Whether the run is in the history of the partition: walks from what is published to what it replaced. */
export async function findInHistory(
  store: ObjectStore,
  layout: ResultLayout,
  dataset: string,
  date: string,
  runId: RunId,
): Promise<Manifest | undefined> {
  let manifest = await readPublished(store, layout, dataset, date);
  while (manifest !== undefined && manifest.runId !== runId) {
    manifest = manifest.previous === null ? undefined : await readManifest(store, manifest.previous);
  }
  return manifest;
}

async function settle(
  store: ObjectStore,
  layout: ResultLayout,
  draft: ManifestDraft,
  mode: RunMode,
  current: Committed,
): Promise<Publication | undefined> {
  const manifest = await readManifest(store, current.manifest);
  if (current.runId === draft.runId) {
    await follow(store, layout, manifest);
    return { outcome: "published", manifest };
  }
  if (isOlder(draft, current)) {
    const mine = await findInHistory(store, layout, draft.dataset, draft.date, draft.runId);
    return mine === undefined ? { outcome: "superseded", manifest } : { outcome: "published", manifest: mine };
  }
  return mode === "missing" ? { outcome: "skipped", manifest } : undefined;
}

async function commit(
  store: ObjectStore,
  key: string,
  draft: ManifestDraft,
  manifest: Manifest,
  condition: PutCondition,
): Promise<boolean> {
  const { stagedKey, sizeBytes, sha256 } = draft.result;
  await using staged = await store.local(stagedKey);
  if (staged === undefined) {
    throw new StoreUnavailable(`the staged result ${stagedKey} of run ${draft.runId} is gone`);
  }
  const metadata = {
    dataset: draft.dataset,
    "run-id": draft.runId,
    fence: draft.fence,
    sha256,
    manifest: manifest.key,
  };
  return await store.put(key, { path: staged.path, sizeBytes, sha256 }, { condition, metadata });
}

/** Moves manifest.json forward to this manifest, never back. */
async function follow(store: ObjectStore, layout: ResultLayout, manifest: Manifest): Promise<void> {
  const key = layout.manifest(manifest.dataset, manifest.date);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const seen = await store.head(key);
    if (seen !== undefined) {
      const text = await store.text(key);
      const pointed = text === undefined ? undefined : readPointer(key, text);
      if (pointed !== undefined && !isOlder(pointed, manifest)) return;
    }
    const condition: PutCondition = seen === undefined ? { ifAbsent: true } : { ifMatch: seen.etag };
    if (await store.put(key, { text: printManifest(manifest) }, { condition })) return;
  }
}

/** A pointer that cannot be read is replaced as one that is behind: the commit is what counts. */
function readPointer(key: string, text: string): Manifest | undefined {
  try {
    return parseManifest(key, text);
  } catch (error) {
    if (error instanceof StoreUnsafe) return undefined;
    throw error;
  }
}

/** The immutable manifest as it is stored: another attempt of this run may have written it first. */
async function record(store: ObjectStore, manifest: Manifest): Promise<Manifest> {
  const created = await store.put(manifest.key, { text: printManifest(manifest) }, { condition: { ifAbsent: true } });
  return created ? manifest : readManifest(store, manifest.key);
}

function complete(draft: ManifestDraft, layout: ResultLayout, current: Committed | undefined): Manifest {
  const { stagedKey: _, ...result } = draft.result;
  const previous = current?.manifest ?? null;
  // One name for each content: a second try after another run came in between has another predecessor.
  const digest = createHash("sha256").update(`${result.sha256} ${previous}`).digest("hex");
  return {
    version: 1,
    ...draft,
    publishedAt: new Date().toISOString(),
    result: { key: layout.result(draft.dataset, draft.date), ...result },
    key: layout.immutable(draft.dataset, draft.date, { ...draft, digest }),
    previous,
  };
}

async function readManifest(store: ObjectStore, key: string): Promise<Manifest> {
  const text = await store.text(key);
  if (text === undefined) throw new StoreUnsafe(`the manifest ${key} of a published result is gone`);
  return parseManifest(key, text);
}

function committedAt({ key, metadata }: ObjectInfo, dataset: string): Committed {
  const { "run-id": runId, fence, manifest, dataset: owner } = metadata;
  if (runId === undefined || fence === undefined || manifest === undefined || owner === undefined) {
    throw new StoreUnsafe(`${key} was not written by this service: move it away, or set another RESULT_KEY`);
  }
  if (owner !== dataset) throw new StoreUnsafe(`${key} holds the result of ${owner}, and ${dataset} would replace it`);
  return { dataset: owner, runId: parseRunId(runId), fence: parseFence(fence), manifest };
}
