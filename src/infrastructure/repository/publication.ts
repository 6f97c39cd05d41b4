import { createHash } from "node:crypto";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import { StoreUnavailable, StoreUnsafe } from "../../domain/model/failure.ts";
import { isOlder, parseFence } from "../../domain/value-object/fence.ts";
import { parseRunId, type RunId } from "../../domain/value-object/run-id.ts";
import type { RunMode } from "../../domain/value-object/run-mode.ts";
import type { Foreign, ManifestDraft, Publication } from "../../usecase/ports/output/result-repository.ts";
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
 * 6. An answer to a write is a hint, a refusal and a fault as well: the loop reads back what is there, and that decides.
 * 7. manifest.json only ever follows a commit. It is derived, and any later call puts it right.
 */

const attempts = 50;
/** How often in a row the store may leave it unknown whether a write has taken effect. */
const unknownAttempts = 5;

/** Where results are published. The simulator of the tests brings a clock and pauses of its own. */
export type Place = {
  readonly store: ObjectStore;
  readonly layout: ResultLayout;
  readonly pause: (attempt: number) => Promise<void>;
  readonly now: () => Date;
};

/** The metadata of the object at the stable key. */
type Committed = {
  readonly dataset: string;
  readonly runId: RunId;
  readonly fence: Manifest["fence"];
  readonly manifest: string;
};

export async function publish(
  place: Place,
  draft: ManifestDraft,
  mode: RunMode,
  foreign: Foreign,
): Promise<Publication> {
  const { store, layout } = place;
  const key = layout.result(draft.dataset, draft.date);
  let unknown = 0;
  let recorded: Manifest | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const seen = await store.head(key);
    const current = seen === undefined ? undefined : committedAt(seen, draft.dataset, foreign);
    if (current !== undefined) {
      const settled = await settle(place, draft, mode, current, recorded);
      if (settled !== undefined) return settled;
    }
    if (attempt > attempts) break;

    try {
      recorded = await record(store, complete(place, draft, current));
      const condition: PutCondition = seen === undefined ? { ifAbsent: true } : { ifMatch: seen.etag };
      // Won or lost, the store's own state says so in the next round.
      if (await commit(store, key, draft, recorded, condition)) continue;
      unknown = 0;
    } catch (error) {
      unknown += 1;
      if (!(error instanceof StoreUnavailable) || unknown === unknownAttempts) throw error;
    }
    await place.pause(attempt);
  }
  throw new StoreUnavailable(`${key} was changed by others ${attempts} times while ${draft.runId} tried to publish`);
}

/** What the stable key says, as its manifest. */
export async function readPublished(
  { store, layout }: Pick<Place, "store" | "layout">,
  dataset: string,
  date: string,
  foreign: Foreign = "refused",
): Promise<Manifest | undefined> {
  const seen = await store.head(layout.result(dataset, date));
  const current = seen === undefined ? undefined : committedAt(seen, dataset, foreign);
  return current === undefined ? undefined : readManifest(store, current.manifest);
}

/** Whether the run is in the history of the partition: walks from what is published to what it replaced. */
export async function findInHistory(
  place: Pick<Place, "store" | "layout">,
  dataset: string,
  date: string,
  runId: RunId,
): Promise<Manifest | undefined> {
  for await (const manifest of walkHistory(place, dataset, date)) if (manifest.runId === runId) return manifest;
  return undefined;
}

/** From what is published to what it replaced, and on to the first result of the partition. */
export async function* walkHistory(
  place: Pick<Place, "store" | "layout">,
  dataset: string,
  date: string,
): AsyncIterable<Manifest> {
  let manifest = await readPublished(place, dataset, date);
  while (manifest !== undefined) {
    yield manifest;
    manifest = manifest.previous === null ? undefined : await readManifest(place.store, manifest.previous);
  }
}

async function settle(
  place: Place,
  draft: ManifestDraft,
  mode: RunMode,
  current: Committed,
  recorded: Manifest | undefined,
): Promise<Publication | undefined> {
  const manifest = recorded?.key === current.manifest ? recorded : await readManifest(place.store, current.manifest);
  if (current.runId === draft.runId) {
    await follow(place, manifest);
    return { outcome: "published", manifest };
  }
  if (isOlder(draft, current)) {
    const mine = await findInHistory(place, draft.dataset, draft.date, draft.runId);
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
  const metadata = {
    dataset: draft.dataset,
    "run-id": draft.runId,
    fence: draft.fence,
    sha256,
    manifest: manifest.key,
  };
  return await store.put(key, { from: stagedKey, sizeBytes, sha256 }, { condition, metadata });
}

/** Has manifest.json follow a commit whose writer was cut off before it did. */
export async function completePublication(place: Place, published: Manifest): Promise<void> {
  if (await isBehind(place, published)) await follow(place, published);
}

/** Moves manifest.json forward to this manifest, never back. */
async function follow(place: Place, manifest: Manifest): Promise<void> {
  const { store, layout, pause } = place;
  const key = layout.manifest(manifest.dataset, manifest.date);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const seen = await store.head(key);
    // Read after the look: what is replaced is what was seen, or nothing.
    if (seen !== undefined && !(await isBehind(place, manifest))) return;
    const condition: PutCondition = seen === undefined ? { ifAbsent: true } : { ifMatch: seen.etag };
    if (await store.put(key, { text: printManifest(manifest) }, { condition })) return;
    await pause(attempt);
  }
}

/** Whether manifest.json names something older, or nothing that can be read. */
async function isBehind({ store, layout }: Place, manifest: Manifest): Promise<boolean> {
  const key = layout.manifest(manifest.dataset, manifest.date);
  const text = await store.text(key);
  const pointed = text === undefined ? undefined : readPointer(key, text);
  return pointed === undefined || isOlder(pointed, manifest);
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
  if (created) return manifest;
  const text = await store.text(manifest.key);
  // Refused though nobody has won, as by a 409: unknown, as any other refusal.
  if (text === undefined) throw new StoreUnavailable(`${manifest.key} could not be created, and is not there`);
  return parseManifest(manifest.key, text);
}

function complete({ layout, now }: Place, draft: ManifestDraft, current: Committed | undefined): Manifest {
  const { stagedKey: _, ...result } = draft.result;
  const previous = current?.manifest ?? null;
  // One name for each content: a second try after another run came in between has another predecessor.
  const digest = createHash("sha256").update(`${result.sha256} ${previous}`).digest("hex");
  return {
    version: 2,
    ...draft,
    publishedAt: now().toISOString(),
    result: { key: layout.result(draft.dataset, draft.date), ...result },
    key: layout.immutable(draft.dataset, draft.date, { ...draft, digest }),
    previous,
  };
}

/** @throws StoreUnsafe when it is gone, or no manifest */
export async function readManifest(store: ObjectStore, key: string): Promise<Manifest> {
  const text = await store.text(key);
  if (text === undefined) throw new StoreUnsafe(`the manifest ${key} of a published result is gone`);
  return parseManifest(key, text);
}

function committedAt(seen: ObjectInfo, dataset: string, foreign: Foreign): Committed | undefined {
  const { "run-id": runId, fence, manifest, dataset: owner } = seen.metadata;
  if (runId === undefined || fence === undefined || manifest === undefined || owner === undefined) {
    if (foreign === "ignored") return undefined;
    throw new StoreUnsafe(
      `${seen.key} was not written by this service: ${describe(seen)}. Move it away, take it over with --adopt, or set another RESULT_KEY`,
    );
  }
  if (owner !== dataset) {
    throw new StoreUnsafe(`${seen.key} holds the result of ${owner}, and ${dataset} would replace it`);
  }
  return { dataset: owner, runId: parseRunId(runId), fence: parseFence(fence), manifest };
}

/** What is known of who has written an object. */
function describe({ sizeBytes, modifiedAt, metadata }: ObjectInfo): string {
  const said = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
  const marked = said.length === 0 ? "without metadata" : `with the metadata ${said.join(", ").slice(0, 200)}`;
  return `it has ${sizeBytes} bytes of ${modifiedAt.toISOString()}, ${marked}`;
}
