import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../src/domain/model/failure.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";

function digestOf(content: string) {
  return { sizeBytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

/** How many race for one key, and how often. */
export type Races = { readonly writers: number; readonly rounds: number };

/** What every object store must do. `open` gives an empty one. */
export function objectStoreContract(
  name: string,
  open: () => Promise<ObjectStore>,
  { writers, rounds }: Races = { writers: 16, rounds: 5 },
): void {
  describe(`an object store: ${name}`, () => {
    const files: string[] = [];
    afterAll(() => Promise.all(files.map((file) => rm(file, { force: true }))));

    const fileOf = async (content: string) => {
      const path = join(tmpdir(), `object-store-contract-${randomUUID()}`);
      files.push(path);
      await writeFile(path, content);
      return { path, ...digestOf(content) };
    };
    const keysOf = async (store: ObjectStore, prefix: string) => {
      const keys: string[] = [];
      for await (const { key } of store.list(prefix)) keys.push(key);
      return keys;
    };

    it("returns what was put, from a text and from a file", async () => {
      const store = await open();
      expect(await store.put("a/text.json", { text: "one" })).toBe(true);
      expect(await store.put("a/file.bin", await fileOf("two"))).toBe(true);
      expect(await store.text("a/text.json")).toBe("one");
      expect(await store.head("a/file.bin")).toMatchObject({ key: "a/file.bin", sizeBytes: 3 });
      expect(await store.text("a/file.bin")).toBe("two");
    });

    it("knows nothing of a key that was never put, or was deleted", async () => {
      const store = await open();
      await store.put("gone", { text: "x" });
      await store.delete("gone");
      await store.delete("never");
      for (const key of ["gone", "never"]) {
        expect(await store.head(key)).toBeUndefined();
        expect(await store.text(key)).toBeUndefined();
        expect(await store.local(key)).toBeUndefined();
      }
    });

    it("creates only when absent, where asked", async () => {
      const store = await open();
      expect(await store.put("k", { text: "first" }, { condition: { ifAbsent: true } })).toBe(true);
      expect(await store.put("k", { text: "second" }, { condition: { ifAbsent: true } })).toBe(false);
      expect(await store.put("k", { text: "third" }, { condition: { ifAbsent: true }, metadata: { a: "b" } })).toBe(
        false,
      );
      expect(await store.text("k")).toBe("first");
    });

    it("replaces only what was seen, where asked", async () => {
      const store = await open();
      await store.put("k", { text: "one" });
      const seen = await store.head("k");
      expect(await store.put("k", { text: "two" }, { condition: { ifMatch: seen?.etag ?? "" } })).toBe(true);
      expect(await store.put("k", { text: "three" }, { condition: { ifMatch: seen?.etag ?? "" } })).toBe(false);
      expect(await store.put("absent", { text: "x" }, { condition: { ifMatch: seen?.etag ?? "" } })).toBe(false);
      expect(await store.text("k")).toBe("two");
      expect(await store.head("absent")).toBeUndefined();
    });

    it("changes the etag with the content", async () => {
      const store = await open();
      await store.put("k", { text: "one" });
      const before = (await store.head("k"))?.etag;
      await store.put("k", { text: "two" });
      expect((await store.head("k"))?.etag).not.toBe(before);
    });

    it("keeps metadata with the object it came with", async () => {
      const store = await open();
      await store.put("k", await fileOf("one"), { metadata: { "run-id": "r1" } });
      expect((await store.head("k"))?.metadata).toEqual({ "run-id": "r1" });
      const etag = (await store.head("k"))?.etag ?? "";
      expect(
        await store.put("k", { text: "two" }, { condition: { ifMatch: "other" }, metadata: { "run-id": "r2" } }),
      ).toBe(false);
      expect((await store.head("k"))?.metadata).toEqual({ "run-id": "r1" });
      await store.put("k", { text: "three" }, { condition: { ifMatch: etag }, metadata: { "run-id": "r3" } });
      expect((await store.head("k"))?.metadata).toEqual({ "run-id": "r3" });
    });

    it("refuses a file whose bytes are not those of its sha256, and keeps what was there", async () => {
      const store = await open();
      await store.put("k", { text: "before" });
      const file = { ...(await fileOf("one")), sha256: "0".repeat(64) };
      await expect(store.put("k", file)).rejects.toThrow(StoreUnavailable);
      expect(await store.text("k")).toBe("before");
    });

    it("holds the bytes of a local copy until it is given back, whatever becomes of the object", async () => {
      const store = await open();
      await store.put("p/k", { text: "old" });
      {
        await using replaced = await store.local("p/k");
        await store.put("p/k", { text: "new" });
        await using deleted = await store.local("p/k");
        await store.delete("p/k");
        expect([replaced, deleted].map((copy) => readFileSync(copy?.path ?? "", "utf8"))).toEqual(["old", "new"]);
      }
      expect(await keysOf(store, "")).toEqual([]);
    });

    it("lists what lies under a prefix, in order", async () => {
      const store = await open();
      for (const key of ["p/b", "p/a/2", "p/a/1", "q/x", "pp"]) await store.put(key, { text: key });
      expect(await keysOf(store, "p/")).toEqual(["p/a/1", "p/a/2", "p/b"]);
      expect(await keysOf(store, "none/")).toEqual([]);
    });

    it("puts what lies at another key, checked, and unchanged when that is deleted", async () => {
      const store = await open();
      const { sizeBytes, sha256 } = await fileOf("staged");
      await store.put("staged", { text: "staged" });
      const metadata = { "run-id": "r1" };
      const body = { from: "staged", sizeBytes, sha256 };
      expect(await store.put("k", body, { condition: { ifAbsent: true }, metadata })).toBe(true);
      expect(await store.put("k", body, { condition: { ifAbsent: true }, metadata })).toBe(false);
      const seen = await store.head("k");
      await store.put("staged-2", { text: "second" });
      const second = { from: "staged-2", ...digestOf("second") };
      expect(await store.put("k", second, { condition: { ifMatch: seen?.etag ?? "" }, metadata })).toBe(true);
      await store.delete("staged-2");
      expect(await store.text("k")).toBe("second");
      expect((await store.head("k"))?.metadata).toEqual(metadata);
    });

    it("refuses to put what lies at another key when that is gone or has other bytes", async () => {
      const store = await open();
      await store.put("staged", { text: "other" });
      for (const from of ["staged", "gone"]) {
        await expect(store.put("k", { from, ...digestOf("staged") })).rejects.toThrow(StoreUnavailable);
      }
      expect(await store.head("k")).toBeUndefined();
    });

    it("leaves no unfinished write behind, and has a clock", async () => {
      const store = await open();
      await store.put("k", { text: "x" });
      await store.put("k", { text: "y" }, { condition: { ifAbsent: true } });
      const unfinished: string[] = [];
      for await (const { name: write } of store.unfinished()) unfinished.push(write);
      expect(unfinished).toEqual([]);
      expect(Math.abs((await store.now()).getTime() - Date.now())).toBeLessThan(60_000);
    });

    it(`has one winner among ${writers} writers that all want to create, or all want to replace, ${rounds} times`, async () => {
      const store = await open();
      for (let round = 0; round < rounds; round += 1) {
        const key = `race/${round}`;
        const race = async (condition: { ifAbsent: true } | { ifMatch: string }) => {
          const put = (_: unknown, writer: number) =>
            store.put(
              key,
              { text: `${JSON.stringify(condition)} ${writer}` },
              { condition, metadata: { writer: `${writer}` } },
            );
          const won = await Promise.all(Array.from({ length: writers }, put));
          expect(won.filter(Boolean)).toHaveLength(1);
          const winner = won.indexOf(true);
          expect((await store.head(key))?.metadata).toEqual({ writer: `${winner}` });
          expect(await store.text(key)).toBe(`${JSON.stringify(condition)} ${winner}`);
        };
        await race({ ifAbsent: true });
        await race({ ifMatch: (await store.head(key))?.etag ?? "" });
      }
    });

    it("survives writers and deleters of one folder", async () => {
      const store = await open();
      const churn = async (writer: number) => {
        for (let round = 0; round < 20; round += 1) {
          await store.put(`churn/deep/${writer}`, { text: "x" });
          await store.delete(`churn/deep/${writer}`);
        }
      };
      await Promise.all([0, 1, 2, 3].map(churn));
      expect(await keysOf(store, "churn/")).toEqual([]);
    });
  });
}
