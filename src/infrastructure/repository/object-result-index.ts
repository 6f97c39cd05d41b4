import { setTimeout as sleep } from "node:timers/promises";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import { AnalysisFailure, StoreUnavailable } from "../../domain/model/failure.ts";
import type { DatasetId } from "../../domain/value-object/dataset-id.ts";
import { isOlder } from "../../domain/value-object/fence.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import { mapBounded } from "../../usecase/map-bounded.ts";
import type { IndexedResult, RebuiltIndex, ResultIndex } from "../../usecase/ports/output/result-index.ts";
import type { ObjectStore, PutCondition } from "../store/object-store.ts";
import { indexed, parseShard, printLine, printShard, type Shard } from "./index-shard.ts";
import { readManifest } from "./publication.ts";
import { indexLayout, type ResultLayout } from "./result-layout.ts";

/** How often a write may lose to other processes. Those of this process are written together. */
const attempts = 20;
const readsAtOnce = 32;

export type ResultIndexKeeper = ResultIndex & {
  /**
   * Follows a publication, and never fails it: the result is there already, and the index is only behind until somebody
   * notices. An older result never replaces a newer one.
   */
  enter(published: Manifest): Promise<void>;
};

type Batch = { readonly results: IndexedResult[]; readonly written: Promise<void> };
/** An object of the index as it was looked at; no shard where it cannot be read. */
type Seen = { readonly shard: Shard | undefined; readonly text?: string | undefined; readonly condition: PutCondition };
type YearOf = { readonly dataset: DatasetId; readonly year: string };

/** The index of results beside them, an object for each dataset and year. */
export function createResultIndex(
  store: ObjectStore,
  layout: Pick<ResultLayout, "result" | "results" | "dateOf">,
): ResultIndexKeeper {
  /** What waits while a write of the same object is under way. */
  const waiting = new Map<string, Batch>();
  const writing = new Map<string, Promise<void>>();
  const rebuilding = new Map<DatasetId, Promise<RebuiltIndex>>();
  /** Each object as it was last seen or written here: who meets a known result again need not look. */
  const seenTexts = new Map<string, string>();

  return {
    async read(dataset) {
      const found = await readYears(dataset);
      if (found !== undefined) return found;
      await rebuildOnce(dataset);
      return (await readYears(dataset)) ?? [];
    },

    async lookUp(dataset, dates) {
      const manifests = await mapBounded(dates, readsAtOnce, undefined, (date) => live(dataset, date));
      const published = manifests.filter((manifest) => manifest !== undefined);
      await Promise.all(published.map(enter));
      return published.map(indexed);
    },

    rebuild: rebuildOnce,
    enter,
  };

  async function enter(published: Manifest): Promise<void> {
    const result = indexed(published);
    const at = { dataset: published.dataset, year: yearOf(published.date) };
    if (seenTexts.get(keyOf(at))?.includes(`\n${printLine(result)}\n`)) return;
    try {
      await enqueue(at, result);
    } catch (error) {
      if (!(error instanceof AnalysisFailure)) throw error;
    }
  }

  function enqueue(at: YearOf, result: IndexedResult): Promise<void> {
    const key = keyOf(at);
    const batch = waiting.get(key) ?? beginBatch(at, key);
    batch.results.push(result);
    return batch.written;
  }

  function beginBatch(at: YearOf, key: string): Batch {
    const results: IndexedResult[] = [];
    const written = (writing.get(key) ?? Promise.resolve()).then(() => {
      waiting.delete(key);
      return merge(at, results);
    });
    const batch = { results, written };
    waiting.set(key, batch);
    const settled = written
      .catch(() => undefined)
      .then(() => {
        if (writing.get(key) === settled) writing.delete(key);
      });
    writing.set(key, settled);
    return batch;
  }

  async function merge(at: YearOf, results: readonly IndexedResult[]): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const seen = await lookToWrite(at);
      const { shard } = seen;
      const isNew = "ifAbsent" in seen.condition;
      if (shard === undefined || (isNew && !(await isWhole(at.dataset)))) await rebuildOnce(at.dataset);
      else if (await write(at, withNewer(shard, results), seen)) return;
      else await sleep(Math.random() * 10 * attempt);
    }
  }

  async function isWhole(dataset: DatasetId): Promise<boolean> {
    return (await store.head(indexLayout.whole(dataset))) !== undefined;
  }

  /** Nothing when the index was never whole, or a part of it cannot be read. */
  async function readYears(dataset: DatasetId): Promise<readonly IndexedResult[] | undefined> {
    const { years, whole } = await list(dataset);
    if (!whole) return undefined;
    const shards = await Promise.all(years.map(async (year) => (await look({ dataset, year })).shard));
    return shards.some((shard) => shard === undefined)
      ? undefined
      : shards.flatMap((shard) => [...(shard ?? none).values()]);
  }

  async function list(dataset: DatasetId): Promise<{ readonly years: readonly string[]; readonly whole: boolean }> {
    const keys: string[] = [];
    for await (const { key } of store.list(indexLayout.folder(dataset))) keys.push(key);
    const years = keys.flatMap((key) => {
      const year = /(\d{4})\.jsonl$/.exec(key)?.[1];
      return year === undefined ? [] : [year];
    });
    return { years, whole: keys.includes(indexLayout.whole(dataset)) };
  }

  /** The text is as new as what the condition names, or newer: then the write is refused. */
  async function lookToWrite(at: YearOf): Promise<Seen> {
    const seen = await store.head(keyOf(at));
    if (seen === undefined) return { shard: none, condition: { ifAbsent: true } };
    return { ...(await look(at)), condition: { ifMatch: seen.etag } };
  }

  async function look(at: YearOf): Promise<{ readonly shard: Shard | undefined; readonly text: string | undefined }> {
    const text = await store.text(keyOf(at));
    const shard = text === undefined ? undefined : parseShard(at.dataset, at.year, text);
    if (shard === undefined || text === undefined) seenTexts.delete(keyOf(at));
    else seenTexts.set(keyOf(at), text);
    return { shard, text };
  }

  async function write(at: YearOf, shard: Shard, { text: before, condition }: Seen): Promise<boolean> {
    const text = printShard(at.dataset, at.year, shard);
    if (text === before) return true;
    const written = await store.put(keyOf(at), { text }, { condition, durable: false });
    if (written) seenTexts.set(keyOf(at), text);
    return written;
  }

  /** Who asks while it is under way waits for it, and looks again. */
  function rebuildOnce(dataset: DatasetId): Promise<RebuiltIndex> {
    const underWay = rebuilding.get(dataset) ?? rebuild(dataset).finally(() => rebuilding.delete(dataset));
    rebuilding.set(dataset, underWay);
    return underWay;
  }

  async function rebuild(dataset: DatasetId): Promise<RebuiltIndex> {
    const { years, whole } = await list(dataset);
    const dates = new Set<TargetDate>();
    for await (const { key } of store.list(layout.results(dataset))) {
      const date = layout.dateOf(dataset, key);
      if (date !== undefined) dates.add(date);
    }
    const manifests = await mapBounded([...dates], readsAtOnce, undefined, (date) => live(dataset, date));
    const truth = new Map(
      manifests.flatMap((each) => (each === undefined ? [] : [[each.date, indexed(each)] as const])),
    );
    let repaired = 0;
    for (const year of new Set([...years, ...[...truth.keys()].map(yearOf)])) {
      repaired += await rebuildYear({ dataset, year }, truth);
    }
    const results = truth.size;
    if (!whole && results > 0) {
      await store.put(indexLayout.whole(dataset), { text: "1\n" }, { condition: { ifAbsent: true }, durable: false });
    }
    return { results, repaired };
  }

  async function rebuildYear(at: YearOf, truth: Map<TargetDate, IndexedResult>): Promise<number> {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const seen = await lookToWrite(at);
      const { shard = none } = seen;
      // What was published, or taken away, since the look at its manifest.
      for (const { date } of differing(shard, truth)) {
        const manifest = await live(at.dataset, date);
        if (manifest === undefined) truth.delete(date);
        else truth.set(date, indexed(manifest));
      }
      const whole = new Map([...truth].filter(([date]) => yearOf(date) === at.year));
      const repaired = new Set([...differing(shard, whole), ...differing(whole, shard)].map(({ date }) => date)).size;
      if (await write(at, whole, seen)) return repaired;
      await sleep(Math.random() * 10 * attempt);
    }
    throw new StoreUnavailable(`${keyOf(at)} was changed by others ${attempts} times while it was rebuilt: try again`);
  }

  /** What readers of the stable key see, where it is a result of this dataset. */
  async function live(dataset: DatasetId, date: TargetDate): Promise<Manifest | undefined> {
    const seen = await store.head(layout.result(dataset, date));
    const { dataset: owner, manifest } = seen?.metadata ?? {};
    return owner === dataset && manifest !== undefined ? readManifest(store, manifest) : undefined;
  }
}

const none: Shard = new Map();

function withNewer(shard: Shard, results: readonly IndexedResult[]): Shard {
  const merged = new Map(shard);
  for (const result of results) {
    const held = merged.get(result.date);
    if (held === undefined || isOlder(held, result)) merged.set(result.date, result);
  }
  return merged;
}

/** Entries of one that the other has not, or has otherwise. */
function differing(one: Shard, other: Shard): readonly IndexedResult[] {
  const isSame = (result: IndexedResult, held: IndexedResult | undefined) =>
    held !== undefined && printLine(held) === printLine(result);
  return [...one.values()].filter((result) => !isSame(result, other.get(result.date)));
}

function keyOf({ dataset, year }: YearOf): string {
  return indexLayout.year(dataset, year);
}

function yearOf(date: TargetDate): string {
  return date.slice(0, 4);
}
