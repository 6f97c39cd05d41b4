import { createHash, randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AnalysisFailure, StoreUnsafe } from "../../domain/model/failure.ts";
import { scratchName } from "../scratch-name.ts";
import type { ObjectStore, PutCondition } from "./object-store.ts";

const writers = 4;
/** As many rounds as the time allows, within bounds: a slow store is not asked for long, a quick one often. */
const fewestRounds = 4;
const mostRounds = 24;
const defaultEnoughMs = 1_500;
/** A write that takes a while: who looks at the condition before it writes has time to be overtaken. */
const padding = " ".repeat(512 * 1024);

/** What a store has proven about itself. */
export type StoreProof = {
  /** Whether the conditions of large objects hold, where those are written in another way. */
  readonly large: "safe" | "unsafe" | "same";
};

/**
 * Races writers for one key and sends bytes with a wrong checksum: what publication depends on, tried out. Leaves nothing.
 * @throws StoreUnsafe when the store lies, StoreUnavailable when it cannot be asked
 */
export async function proveStore(
  store: ObjectStore,
  scratchFolder: string,
  enoughMs = defaultEnoughMs,
): Promise<StoreProof> {
  const folder = `_staging/self-test-${randomUUID()}`;
  await refuseWrongBytes(store, `${folder}/checksum`, scratchFolder);
  await race(store, enoughMs, `${folder}/race`, async (key, text) => (condition) => {
    return store.put(key, { text }, { condition, durable: false });
  });
  return { large: await proveLarge(store, enoughMs, `${folder}/large`) };
}

async function proveLarge(store: ObjectStore, enoughMs: number, key: string): Promise<StoreProof["large"]> {
  const { large } = store;
  if (large === undefined) return "same";
  try {
    await race(store, enoughMs, key, large.begin);
    return "safe";
  } catch (error) {
    if (error instanceof StoreUnsafe) return "unsafe";
    throw error;
  }
}

/** Prepares a write, so that racing writers meet at its last step. */
type Begin = (key: string, text: string) => Promise<(condition: PutCondition) => Promise<boolean>>;

/** In each round first to create, then to replace what the winner wrote, and at last what is no longer there. */
async function race(store: ObjectStore, enoughMs: number, key: string, begin: Begin): Promise<void> {
  try {
    const started = performance.now();
    const goesOn = (round: number) => round < fewestRounds || performance.now() - started < enoughMs;
    for (let round = 0; round < mostRounds && goesOn(round); round += 1) {
      await store.delete(key);
      await oneWinner(store, key, "create", begin, { ifAbsent: true });
      const ifMatch = (await store.head(key))?.etag ?? "";
      await oneWinner(store, key, "replace", begin, { ifMatch });
      if (await (await begin(key, "stale"))({ ifMatch })) {
        throw new StoreUnsafe(`the store ${store.url} must refuse to replace what has changed, and did not`);
      }
    }
  } finally {
    await store.delete(key);
  }
}

async function oneWinner(
  store: ObjectStore,
  key: string,
  what: string,
  begin: Begin,
  condition: PutCondition,
): Promise<void> {
  const texts = Array.from({ length: writers }, (_, writer) => `${what} ${writer} ${randomUUID()}${padding}`);
  const finish = await Promise.all(texts.map((text) => begin(key, text)));
  const won = await Promise.all(finish.map((each) => each(condition)));
  const winners = texts.filter((_, writer) => won[writer]);
  if (winners.length !== 1) {
    throw new StoreUnsafe(
      `the store ${store.url} must let one of ${writers} writers ${what} an object, and let ${winners.length}`,
    );
  }
  if ((await store.text(key)) !== winners[0]) {
    throw new StoreUnsafe(`the store ${store.url} must keep what the winner of a race wrote, and holds something else`);
  }
}

async function refuseWrongBytes(store: ObjectStore, key: string, scratchFolder: string): Promise<void> {
  const path = join(scratchFolder, scratchName("self-test") + randomUUID());
  const expected = "these bytes";
  try {
    await writeFile(path, "other bytes");
    const sha256 = createHash("sha256").update(expected).digest("hex");
    await store.put(key, { path, sizeBytes: expected.length, sha256 }, { durable: false });
  } catch (error) {
    if (error instanceof AnalysisFailure && (await store.head(key)) === undefined) return;
    throw error;
  } finally {
    await rm(path, { force: true });
    await store.delete(key);
  }
  throw new StoreUnsafe(`the store ${store.url} must refuse bytes that are not those of their checksum, and took them`);
}
