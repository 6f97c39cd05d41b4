import { describe, expect, it } from "vitest";
import { parseRunId } from "../../src/domain/value-object/run-id.ts";
import { createResultLayout } from "../../src/infrastructure/repository/result-layout.ts";
import { createStagingArea } from "../../src/infrastructure/repository/staging-area.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import type { SweepReport } from "../../src/usecase/dto/sweep-report.ts";
import { createSweepInteractor } from "../../src/usecase/interactor/sweep-interactor.ts";

export type StagingWorld = {
  readonly store: ObjectStore;
  /** Begins to write to the key, and dies. */
  readonly abandonWrite: (key: string) => Promise<void>;
  /** Whether the store tells which key a write was for. */
  readonly knowsKeys: boolean;
};

const layout = createResultLayout("{dataset}/{date}/result.parquet", ["sales"]);
const [one, other] = [parseRunId("6f1c7b1e-5a0e-4a63-9d2b-111111111111"), parseRunId("self-test-2")];
const notOurs = [
  "sales/2026-02-05/result.parquet",
  "sales/2026-02-05/manifest.json",
  "sales/2026-02-05/_manifests/1-r-2.json",
  "_staging/loose-file",
  "_staging/.not-a-run/x",
  "_stagings/run/x",
  "x/_staging/run/x",
];

/** What the staging of every store must do. `open` gives an empty one. */
export function stagingAreaContract(name: string, open: () => Promise<StagingWorld>): void {
  describe(`a staging area: ${name}`, () => {
    it("tells of each run how much it has staged and when it did so last, and of nothing else", async () => {
      const { store } = await open();
      const area = createStagingArea(store, layout);
      const begin = await area.now();
      await store.put(`_staging/${one}/a/input-1`, { text: "12345" });
      await store.put(`_staging/${one}/b/result.parquet`, { text: "123" });
      await store.put(`_staging/${other}/race`, { text: "1" });
      for (const key of notOurs) await store.put(key, { text: "keep" });
      const staged = await area.staged();
      expect(staged.map(({ runId, sizeBytes }) => [runId, sizeBytes])).toEqual([
        [one, 8],
        [other, 1],
      ]);
      // Clocks of stores tell seconds.
      for (const { modifiedAt } of staged) {
        expect(modifiedAt.getTime()).toBeGreaterThan(begin.getTime() - 2_000);
        expect(modifiedAt.getTime()).toBeLessThan((await area.now()).getTime() + 2_000);
      }
    });

    it("removes what a run had staged when it was looked at, twice without harm, and nothing else", async () => {
      const { store } = await open();
      const area = createStagingArea(store, layout);
      const kept = [`_staging/${other}/a/result.parquet`, ...notOurs];
      for (const key of kept) await store.put(key, { text: "keep" });
      await store.put(`_staging/${one}/a/result.parquet`, { text: "old" });
      const seen = (await area.staged()).filter(({ runId }) => runId === one);
      await store.put(`_staging/${one}/b/result.parquet`, { text: "of another attempt" });
      for (const leftover of [...seen, ...seen]) await leftover.remove();
      expect(await keysOf(store)).toEqual([...kept, `_staging/${one}/b/result.parquet`].toSorted());
    });

    it("finds a write that was never completed, with its run where that can be told, and removes it", async () => {
      const { store, abandonWrite, knowsKeys } = await open();
      const area = createStagingArea(store, layout);
      expect(await area.unfinished()).toEqual([]);
      await abandonWrite(`_staging/${one}/a/result.parquet`);
      await abandonWrite("sales/2026-02-05/result.parquet");
      const writes = await area.unfinished();
      const runs = writes.map(({ runId }) => runId ?? "unknown").toSorted();
      expect(runs).toEqual(knowsKeys ? [one, "unknown"] : ["unknown", "unknown"]);
      for (const { modifiedAt, sizeBytes } of writes) {
        expect(Math.abs(modifiedAt.getTime() - (await area.now()).getTime())).toBeLessThan(60_000);
        expect(sizeBytes).toBeNull();
      }
      for (const write of [...writes, ...writes]) await write.remove();
      expect(await area.unfinished()).toEqual([]);
    });

    it("leaves alone a write to a key that is none of the service's, where that can be told", async () => {
      const { store, abandonWrite, knowsKeys } = await open();
      await abandonWrite("somebody/else.bin");
      expect(await createStagingArea(store, layout).unfinished()).toHaveLength(knowsKeys ? 0 : 1);
      for await (const write of store.unfinished()) await write.discard();
    });

    it("is swept of what is eight days old: not a day earlier, and never of a result", async () => {
      const { store, abandonWrite } = await open();
      for (const key of notOurs) await store.put(key, { text: "keep" });
      await store.put(`_staging/${one}/a/result.parquet`, { text: "refused" });
      await abandonWrite(`_staging/${one}/b/result.parquet`);
      await abandonWrite("sales/2026-02-06/result.parquet");
      const before = await keysOf(store);
      expect(await sweepLater(store, 7.9)).toMatchObject({ staged: { young: { count: 1 } } });
      expect(await sweepLater(store, 400, [one])).toMatchObject({ staged: { live: { count: 1 } } });
      expect(await keysOf(store)).toEqual(before);
      expect(await sweepLater(store, 8.1)).toMatchObject({ staged: { removed: { count: 1 } } });
      expect(await keysOf(store)).toEqual(notOurs.toSorted());
      expect(await createStagingArea(store, layout).unfinished()).toEqual([]);
    });
  });
}

/** A sweep when the clock of the store has gone on for days. */
async function sweepLater(store: ObjectStore, days: number, live: readonly string[] = []): Promise<SweepReport> {
  const area = createStagingArea(store, layout);
  const now = async () => new Date((await area.now()).getTime() + days * 86_400_000);
  return createSweepInteractor({
    staging: { ...area, now },
    scratch: { list: async () => [], now },
    orchestrator: { liveRuns: async (runIds) => new Set(runIds.filter((id) => live.includes(id))) },
    defaultHours: 192,
  }).sweep({});
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}
