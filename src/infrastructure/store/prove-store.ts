import { createHash, randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AnalysisFailure, StoreUnavailable, StoreUnsafe } from "../../domain/model/failure.ts";
import { scratchName } from "../scratch-name.ts";
import type { ObjectStore, PutCondition } from "./object-store.ts";

const writers = 4;
/** As many rounds as the time allows, within bounds: a slow store is not asked for long, a quick one often. */
const fewestRounds = { small: 2, large: 4 };
const mostRounds = 24;
const defaultEnoughMs = 1_500;
/** A write that takes a while: who looks at the condition before it writes has time to be overtaken. */
const padding = " ".repeat(512 * 1024);
/** After which a request that was sent has been looked at, even by a busy server. */
const lookedAtMs = 150;

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
  // Only where bodies travel can they be held back.
  if (store.large !== undefined) await race(store, 1, 0, `${folder}/held-back`, heldBack(store));
  await race(store, fewestRounds.small, enoughMs, `${folder}/race`, async (key, text, condition) => {
    return () => store.put(key, { text }, { condition, durable: false });
  });
  return { large: await proveLarge(store, enoughMs, `${folder}/large`) };
}

async function proveLarge(store: ObjectStore, enoughMs: number, key: string): Promise<StoreProof["large"]> {
  const { large } = store;
  if (large === undefined) return "same";
  try {
    await race(store, fewestRounds.large, enoughMs, key, async (at, text, condition) => {
      const complete = await large.begin(at, text);
      return () => complete(condition);
    });
    return "safe";
  } catch (error) {
    if (error instanceof StoreUnsafe) return "unsafe";
    throw error;
  }
}

/** Takes a write to where it waits for its last step, so that racing writers meet there. */
type Begin = (key: string, text: string, condition: PutCondition) => Promise<() => Promise<boolean>>;

/**
 * Writers who have all begun before the first of them ends: a store that looks at a condition when a request comes in, and
 * not again, lets all of them win, however busy it is.
 */
function heldBack(store: ObjectStore): Begin {
  return async (key, text, condition) => {
    const gate = Promise.withResolvers<void>();
    const put = store.put(key, { text }, { condition, durable: false, secondHalf: gate.promise });
    // A server may refuse before it has read all, and end the connection: no winner either.
    const won = put.catch((error: unknown) => {
      if (error instanceof StoreUnavailable) return false;
      throw error;
    });
    await sleep(lookedAtMs);
    return () => {
      gate.resolve();
      return won;
    };
  };
}

/** In each round first to create, then to replace what the winner wrote, and at last what is no longer there. */
async function race(store: ObjectStore, rounds: number, enoughMs: number, key: string, begin: Begin): Promise<void> {
  try {
    const started = performance.now();
    const goesOn = (round: number) => round < rounds || performance.now() - started < enoughMs;
    for (let round = 0; round < mostRounds && goesOn(round); round += 1) {
      await store.delete(key);
      await oneWinner(store, key, "create", begin, { ifAbsent: true });
      const ifMatch = (await store.head(key))?.etag ?? "";
      await oneWinner(store, key, "replace", begin, { ifMatch });
      const stale = await begin(key, "stale", { ifMatch });
      if (await stale()) {
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
  const finish = await Promise.all(texts.map((text) => begin(key, text, condition)));
  const won = await Promise.all(finish.map((each) => each()));
  const winners = texts.filter((_, writer) => won[writer]);
  const kept = await store.text(key);
  if (winners.length !== 1) {
    throw new StoreUnsafe(
      `the store ${store.url} must let one of ${writers} writers ${what} an object, and let ${winners.length}`,
    );
  }
  if (kept !== winners[0]) {
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
