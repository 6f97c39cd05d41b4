import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StoreUnsafe } from "../../src/domain/model/failure.ts";
import { openFileObjectStore } from "../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore, PutCondition } from "../../src/infrastructure/store/object-store.ts";
import { establishTrust } from "../../src/infrastructure/store/store-proofs.ts";
import { objectStoreContract } from "../contract/object-store.contract.ts";
import { createMemoryObjectStore } from "../fakes/memory-object-store.ts";
import { openTestStore } from "../support/s3.ts";
import { type S3Server, startSeaweedfs, startVersitygw } from "../support/s3-servers.ts";
import { tempFolder } from "../support/temp-folder.ts";

const minutes = 60_000;

type Write = (key: string, text: string) => Promise<(condition: PutCondition) => Promise<boolean>>;

const small =
  (store: ObjectStore): Write =>
  async (key, text) =>
  (condition) =>
    store.put(key, { text }, { condition });

/** Winners of each round, of creating and of replacing. */
async function race(store: ObjectStore, writers: number, rounds: number, begin: Write): Promise<number[]> {
  const winners: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const key = `race/${round}`;
    for (const replacing of [false, true]) {
      const condition = replacing ? { ifMatch: (await store.head(key))?.etag ?? "" } : ({ ifAbsent: true } as const);
      const texts: string[] = Array.from({ length: writers }, () => randomUUID());
      const finish = await Promise.all(texts.map((text) => begin(key, text)));
      const won = await Promise.all(finish.map((each) => each(condition)));
      winners.push(won.filter(Boolean).length);
      expect(won[texts.indexOf((await store.text(key)) ?? "")]).toBe(true);
    }
  }
  return winners;
}

const onlyOnes = (rounds: number) => Array.from({ length: rounds * 2 }, () => 1);

let safe: S3Server;
let racy: S3Server;
let seaweed: S3Server;
beforeAll(async () => {
  [safe, racy, seaweed] = await Promise.all([startVersitygw({ concurrency: 1 }), startVersitygw(), startSeaweedfs()]);
}, 2 * minutes);
afterAll(async () => {
  for (const server of [safe, racy, seaweed]) await server[Symbol.asyncDispose]();
});

objectStoreContract("versitygw", () => openTestStore(safe));

describe("conditional writes have one winner each", () => {
  it("16 writers, 200 rounds, in memory", async () => {
    const store = createMemoryObjectStore();
    expect(await race(store, 16, 200, small(store))).toEqual(onlyOnes(200));
  });

  it(
    "16 writers, 200 rounds, in a folder",
    async () => {
      using store = await openFileObjectStore(await tempFolder());
      expect(await race(store, 16, 200, small(store))).toEqual(onlyOnes(200));
    },
    5 * minutes,
  );

  it(
    "16 writers, 200 rounds, on versitygw",
    async () => {
      using store = await openTestStore(safe);
      expect(await race(store, 16, 200, small(store))).toEqual(onlyOnes(200));
    },
    5 * minutes,
  );

  it(
    "16 writers, 50 rounds, on versitygw, uploaded in parts",
    async () => {
      using store = await openTestStore(safe);
      const { large } = store;
      if (large === undefined) throw new Error("S3 has uploads in parts");
      expect(await race(store, 16, 50, large.begin)).toEqual(onlyOnes(50));
    },
    5 * minutes,
  );

  it(
    "4 writers, 50 rounds, on SeaweedFS",
    async () => {
      using store = await openTestStore(seaweed);
      expect(await race(store, 4, 50, small(store))).toEqual(onlyOnes(50));
    },
    10 * minutes,
  );
});

describe("the proof of a store", () => {
  const trust = async (store: ObjectStore) =>
    establishTrust(store, { scratchFolder: await tempFolder(), server: "", acceptUnsafe: false });

  it("refuses versitygw that works on several requests at once, ten times of ten", async () => {
    for (let round = 0; round < 10; round += 1) {
      using store = await openTestStore(racy);
      await expect(trust(store)).rejects.toThrow(StoreUnsafe);
    }
  });

  it("finds versitygw safe that works on one at a time, in parts as well", async () => {
    using store = await openTestStore(safe);
    expect(await trust(store)).toEqual({ mostBytes: Number.POSITIVE_INFINITY });
  });

  it("limits SeaweedFS 4.48 to one request for each result", async () => {
    using store = await openTestStore(seaweed);
    expect(await trust(store)).toMatchObject({
      mostBytes: 5 * 2 ** 30,
      note: expect.stringMatching(/limited to 5120 MiB/),
    });
  });
});
