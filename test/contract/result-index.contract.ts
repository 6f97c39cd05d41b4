import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/domain/model/analysis-result.ts";
import { StoreUnavailable } from "../../src/domain/model/failure.ts";
import type { RunId } from "../../src/domain/value-object/run-id.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import { createResultIndex } from "../../src/infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "../../src/infrastructure/repository/object-result-repository.ts";
import { createResultLayout } from "../../src/infrastructure/repository/result-layout.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import type { ResultIndex } from "../../src/usecase/ports/output/result-index.ts";
import type { ResultRepository } from "../../src/usecase/ports/output/result-repository.ts";
import { dataset, draftOf } from "./result-repository.contract.ts";

const layout = createResultLayout("{dataset}/{date}/result.parquet", [dataset, "returns"]);

export type IndexWorld = {
  readonly store: ObjectStore;
  readonly stage: (runId: RunId, content: string) => Promise<string>;
};

type Process = { readonly index: ResultIndex; readonly repository: ResultRepository };

/** As another process has it: it shares nothing but the store. */
function processOn(store: ObjectStore): Process {
  const index = createResultIndex(store, layout);
  return { index, repository: createObjectResultRepository(store, layout, index) };
}

async function publish(
  { stage }: IndexWorld,
  { repository }: Process,
  date: string,
  fence = "2026-02-06T06:00:00.000Z",
): Promise<Manifest> {
  return (await repository.publish(await draftOf({ stage }, { date, fence }), "changed")).manifest;
}

async function textsOf(store: ObjectStore): Promise<Readonly<Record<string, string | undefined>>> {
  const texts: Record<string, string | undefined> = {};
  for await (const { key } of store.list(`_index/${dataset}/`)) texts[key] = await store.text(key);
  return texts;
}

async function datesIn({ index }: Process): Promise<readonly string[]> {
  return (await index.read(dataset)).map(({ date }) => date);
}

/** As a crash between commit and index leaves it: nothing of the index is written. */
function dying(store: ObjectStore): ObjectStore {
  return {
    ...store,
    put: async (key, body, options) => {
      if (key.startsWith("_index/")) throw new StoreUnavailable("gone");
      return store.put(key, body, options);
    },
  };
}

/** What the index over any object store must do. `open` gives an empty one. */
export function resultIndexContract(name: string, open: () => Promise<IndexWorld>): void {
  describe(`the index of results: ${name}`, () => {
    it("is empty, and writes nothing, before the first publication", async () => {
      const { store } = await open();
      const { index } = processOn(store);
      expect(await index.read(dataset)).toEqual([]);
      expect(await index.rebuild(dataset)).toEqual({ results: 0, repaired: 0 });
      expect(await textsOf(store)).toEqual({});
    });

    it("has what the manifests say, in the order of dates, and each year in an object of its own", async () => {
      const world = await open();
      const process = processOn(world.store);
      const later = await publish(world, process, "2026-01-01");
      const earlier = await publish(world, process, "2025-12-31");
      const expected = [earlier, later].map(({ date, fence, runId, publishedAt, result }) => ({
        ...{ date, fence, runId, publishedAt, rows: result.rows, sizeBytes: result.sizeBytes },
        definitionDigest: "d".repeat(16),
        inputsDigest: expect.stringMatching(/^[0-9a-f]{16}$/),
      }));
      expect(await process.index.read(dataset)).toEqual(expected);
      expect(Object.keys(await textsOf(world.store))).toEqual([
        "_index/sales/2025.jsonl",
        "_index/sales/2026.jsonl",
        "_index/sales/whole",
      ]);
    });

    it("is the same byte for byte after it was rebuilt, from nothing as well", async () => {
      const world = await open();
      const process = processOn(world.store);
      for (const date of ["2026-01-03", "2026-01-01", "2025-12-31", "2026-01-02"]) await publish(world, process, date);
      await publish(world, process, "2026-01-01", "2026-02-06T07:00:00.000Z");
      const incremental = await textsOf(world.store);
      expect(await processOn(world.store).index.rebuild(dataset)).toEqual({ results: 4, repaired: 0 });
      expect(await textsOf(world.store)).toEqual(incremental);
      for (const key of Object.keys(incremental)) await world.store.delete(key);
      expect(await processOn(world.store).index.rebuild(dataset)).toEqual({ results: 4, repaired: 4 });
      expect(await textsOf(world.store)).toEqual(incremental);
    });

    it("has all of many dates that several processes publish at the same time", async () => {
      const world = await open();
      const dates = Array.from({ length: 16 }, (_, day) => `2026-01-${String(day + 1).padStart(2, "0")}`);
      const processes = [1, 2, 3, 4].map(() => processOn(world.store));
      await Promise.all(
        dates.map((date, index) => publish(world, processes[index % 4] ?? processOn(world.store), date)),
      );
      const reader = processOn(world.store);
      expect(await datesIn(reader)).toEqual(dates);
      expect(await reader.index.rebuild(dataset)).toEqual({ results: 16, repaired: 0 });
    });

    it("never goes back from a newer result to an older one", async () => {
      const world = await open();
      const process = processOn(world.store);
      const older = await publish(world, process, "2026-01-01");
      const newer = await publish(world, process, "2026-01-01", "2026-02-06T07:00:00.000Z");
      await processOn(world.store).repository.complete(older);
      expect(await process.index.read(dataset)).toMatchObject([{ runId: newer.runId }]);
    });

    it("is made by the first who needs it where results are older than it", async () => {
      const world = await open();
      const before = processOn(dying(world.store));
      for (const date of ["2025-06-01", "2026-01-01"]) await publish(world, before, date);
      const after = processOn(world.store);
      await publish(world, after, "2026-01-02");
      expect(await datesIn(after)).toEqual(["2025-06-01", "2026-01-01", "2026-01-02"]);

      const read = await open();
      await publish(read, processOn(dying(read.store)), "2026-01-01");
      expect(await datesIn(processOn(read.store))).toEqual(["2026-01-01"]);
    });

    it("gets what a crash kept from it by whoever finds the result published", async () => {
      const world = await open();
      const process = processOn(world.store);
      await publish(world, process, "2026-01-01");
      const cutOff = await publish(world, processOn(dying(world.store)), "2026-01-02");
      expect(await datesIn(process)).toEqual(["2026-01-01"]);
      await process.repository.complete(cutOff);
      expect(await datesIn(process)).toEqual(["2026-01-01", "2026-01-02"]);
    });

    it("gets what a crash kept from it when it is looked up, and by a rebuild", async () => {
      const world = await open();
      const process = processOn(world.store);
      await publish(world, process, "2026-01-01");
      await publish(world, processOn(dying(world.store)), "2026-01-02");
      const dates = ["2026-01-02", "2026-01-03"].map(parseTargetDate);
      expect(await process.index.lookUp(dataset, dates)).toMatchObject([{ date: "2026-01-02" }]);
      expect(await datesIn(process)).toEqual(["2026-01-01", "2026-01-02"]);

      await publish(world, processOn(dying(world.store)), "2026-01-04");
      expect(await process.index.rebuild(dataset)).toEqual({ results: 3, repaired: 1 });
      expect(await datesIn(process)).toEqual(["2026-01-01", "2026-01-02", "2026-01-04"]);
    });

    it.each([
      ["cut off", (text: string) => text.slice(0, -20)],
      ["empty", () => ""],
      ["of another version", (text: string) => text.replace('"version":1', '"version":2')],
    ])("is made anew where a part of it is %s, by a reader and by the next publication", async (_, damage) => {
      const world = await open();
      const process = processOn(world.store);
      for (const date of ["2026-01-01", "2026-01-02"]) await publish(world, process, date);
      const key = "_index/sales/2026.jsonl";
      const whole = (await world.store.text(key)) ?? "";
      await world.store.put(key, { text: damage(whole) });
      expect(await datesIn(process)).toEqual(["2026-01-01", "2026-01-02"]);
      expect(await world.store.text(key)).toBe(whole);
      await world.store.put(key, { text: damage(whole) });
      await publish(world, process, "2026-01-03");
      expect(await datesIn(process)).toEqual(["2026-01-01", "2026-01-02", "2026-01-03"]);
    });

    it("loses what is no longer published when it is rebuilt", async () => {
      const world = await open();
      const process = processOn(world.store);
      for (const date of ["2025-12-31", "2026-01-01"]) await publish(world, process, date);
      await world.store.delete("sales/2025-12-31/result.parquet");
      expect(await process.index.rebuild(dataset)).toEqual({ results: 1, repaired: 1 });
      expect(await datesIn(process)).toEqual(["2026-01-01"]);
    });

    it("does not fail a publication that it cannot follow", async () => {
      const world = await open();
      const process = processOn(dying(world.store));
      const manifest = await publish(world, process, "2026-01-01");
      expect(await process.repository.findPublished(dataset, manifest.date)).toEqual(manifest);
    });

    it("gives up on a publication's behalf when it always loses, and never spoils what others wrote", async () => {
      const world = await open();
      await publish(world, processOn(world.store), "2026-01-01");
      let lost = 0;
      const losing: ObjectStore = {
        ...world.store,
        put: async (key, body, options) => {
          if (!key.startsWith("_index/")) return world.store.put(key, body, options);
          lost += 1;
          return false;
        },
      };
      await publish(world, processOn(losing), "2026-01-02");
      expect(lost).toBe(20);
      expect(await datesIn(processOn(world.store))).toEqual(["2026-01-01"]);
    });
  });
}
