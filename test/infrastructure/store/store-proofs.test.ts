import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { StoreUnavailable, StoreUnsafe } from "../../../src/domain/model/failure.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "../../../src/infrastructure/store/object-store.ts";
import { establishTrust } from "../../../src/infrastructure/store/store-proofs.ts";
import { createMemoryObjectStore } from "../../fakes/memory-object-store.ts";
import { openTestStore } from "../../support/s3.ts";
import { tempFolder } from "../../support/temp-folder.ts";

type Trusting = Partial<Parameters<typeof establishTrust>[1]>;

async function trust(store: ObjectStore, options: Trusting = {}) {
  return establishTrust(store, { scratchFolder: await tempFolder(), server: "here", acceptUnsafe: false, ...options });
}

/** A memory store that breaks one promise. */
const liars: Readonly<Record<string, () => ObjectStore>> = {
  "creates what is there already": () => {
    const store = createMemoryObjectStore();
    return { ...store, put: (key, body, { condition: _, ...rest } = {}) => store.put(key, body, rest) };
  },
  "replaces what has changed": () => {
    const store = createMemoryObjectStore();
    return {
      ...store,
      put: (key, body, { condition, ...rest } = {}) =>
        store.put(key, body, condition !== undefined && "ifAbsent" in condition ? { condition, ...rest } : rest),
    };
  },
  "tells a loser that it has won": () => {
    const store = createMemoryObjectStore();
    return { ...store, put: async (...args) => (await store.put(...args)) || true };
  },
  "tells everybody that another has won": () => {
    const store = createMemoryObjectStore();
    return { ...store, put: async (...args) => (await store.put(...args)) && false };
  },
  "looks, and then writes": () => {
    const store = createMemoryObjectStore();
    return {
      ...store,
      async put(key, body, { condition, ...rest } = {}) {
        const seen = (await store.head(key))?.etag;
        await new Promise(setImmediate);
        const holds =
          condition === undefined || ("ifAbsent" in condition ? seen === undefined : seen === condition.ifMatch);
        return holds && store.put(key, body, rest);
      },
    };
  },
  "takes bytes with a wrong checksum": () => {
    const store = createMemoryObjectStore();
    return {
      ...store,
      put: (key, body, options) => store.put(key, "path" in body ? { text: "whatever came" } : body, options),
    };
  },
};

describe("the proof of a store", () => {
  it.each(Object.entries(liars))("refuses one that %s, unless that is accepted", async (_, create) => {
    await expect(trust(create())).rejects.toThrow(StoreUnsafe);
    const accepted = await trust(create(), { acceptUnsafe: true });
    expect(accepted.mostBytes).toBe(Number.POSITIVE_INFINITY);
    expect(accepted.note).toMatch(/^accepted by STORE_ACCEPT_UNSAFE: the store memory: must /);
  });

  it("is not asked to decide about a store that is away", async () => {
    const away = () => Promise.reject(new StoreUnavailable("away"));
    const store: ObjectStore = { ...createMemoryObjectStore(), put: away, head: away };
    await expect(trust(store, { acceptUnsafe: true })).rejects.toThrow(StoreUnavailable);
  });

  it("finds memory and a folder safe, and leaves nothing there", async () => {
    using file = await openFileObjectStore(await tempFolder());
    for (const store of [createMemoryObjectStore(), file]) {
      const scratchFolder = await tempFolder();
      expect(await trust(store, { scratchFolder })).toEqual({ mostBytes: Number.POSITIVE_INFINITY });
      expect(await Array.fromAsync(store.list(""))).toEqual([]);
      expect(await readdir(scratchFolder)).toEqual([]);
    }
  });

  it("limits a store whose uploads in parts have several winners to one request, and says so", async () => {
    using store = await openTestStore(inject("s3"));
    const found = await trust(store);
    expect(found.mostBytes).toBe(5 * 2 ** 30);
    expect(found.note).toMatch(
      /^the store s3:.* lets several writers .* results are limited to 5120 MiB, one request$/,
    );
    expect(await Array.fromAsync(store.list(""))).toEqual([]);
    expect(await Array.fromAsync(store.unfinished())).toEqual([]);
  });

  it("is kept for the next process, apart for each server", async () => {
    const proofsFolder = join(await tempFolder(), "proofs");
    let puts = 0;
    const store = createMemoryObjectStore();
    const counting: ObjectStore = {
      ...store,
      put: (...args) => {
        puts += 1;
        return store.put(...args);
      },
    };
    await trust(counting, { proofsFolder });
    const once = puts;
    await trust(counting, { proofsFolder });
    expect(puts).toBe(once);
    await trust(counting, { proofsFolder, server: "elsewhere" });
    expect(puts).toBeGreaterThan(once);
    expect(await readdir(proofsFolder)).toHaveLength(2);
  });
});
