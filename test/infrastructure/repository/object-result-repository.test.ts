import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import type { Manifest } from "../../../src/domain/model/analysis-result.ts";
import { StoreUnavailable, StoreUnsafe } from "../../../src/domain/model/failure.ts";
import { parseRunId } from "../../../src/domain/value-object/run-id.ts";
import { parseManifest } from "../../../src/infrastructure/repository/manifest-schema.ts";
import { createResultIndex } from "../../../src/infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "../../../src/infrastructure/repository/object-result-repository.ts";
import { createResultLayout } from "../../../src/infrastructure/repository/result-layout.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "../../../src/infrastructure/store/object-store.ts";
import {
  dataset,
  date,
  draftOf,
  type RepositoryWorld,
  resultRepositoryContract,
} from "../../contract/result-repository.contract.ts";
import { createMemoryObjectStore } from "../../fakes/memory-object-store.ts";
import { openTestStore } from "../../support/s3.ts";
import { stageContent } from "../../support/stage-content.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const layout = createResultLayout("{dataset}/{date}/result.parquet", ["sales"]);

function worldOf(store: ObjectStore, folder: string, resultLayout = layout): RepositoryWorld {
  return {
    repository: createObjectResultRepository(store, resultLayout, createResultIndex(store, resultLayout)),
    stage: (runId, content) => stageContent(store, folder, runId, content),
    read: (path) => readFile(path, "utf8"),
  };
}

resultRepositoryContract("over a folder", async () =>
  worldOf(await openFileObjectStore(await tempFolder()), await tempFolder()),
);

resultRepositoryContract("over memory", async () => worldOf(createMemoryObjectStore(), await tempFolder()));

resultRepositoryContract("over S3", async () => worldOf(await openTestStore(inject("s3")), await tempFolder()));

describe("the repository over an object store", () => {
  it("points with manifest.json at what is published, and keeps each manifest once", async () => {
    const folder = await tempFolder();
    const store = await openFileObjectStore(folder);
    const world = worldOf(store, await tempFolder());
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    const { manifest } = await world.repository.publish(draft, "changed");
    await world.repository.publish(draft, "changed");
    expect(JSON.parse(await readFile(join(folder, "sales/2026-02-05/manifest.json"), "utf8"))).toEqual(manifest);
    expect(await keysOf(store, "sales/2026-02-05/_manifests/")).toEqual([manifest.key]);
    expect(manifest.key).toMatch(
      new RegExp(`^sales/2026-02-05/_manifests/20260206T060000000Z-${draft.runId}-[0-9a-f]{12}\\.json$`),
    );
  });

  it("puts the pointer right after a crash between the commit and the pointer", async () => {
    const folder = await tempFolder();
    const store = await openFileObjectStore(folder);
    const crashing: ObjectStore = {
      ...store,
      put: async (key, body, options) => {
        if (key.endsWith("/manifest.json")) throw new StoreUnavailable("crashed here");
        return store.put(key, body, options);
      },
    };
    const world = worldOf(store, await tempFolder());
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    await expect(
      createObjectResultRepository(crashing, layout, createResultIndex(crashing, layout)).publish(draft, "changed"),
    ).rejects.toThrow("crashed here");
    const seen = await world.repository.findPublished(dataset, date);
    expect(seen?.runId).toBe(draft.runId);
    expect(await store.text("sales/2026-02-05/manifest.json")).toBeUndefined();
    const again = await world.repository.publish(draft, "changed");
    expect(again).toEqual({ outcome: "published", manifest: seen });
    expect(JSON.parse((await store.text("sales/2026-02-05/manifest.json")) ?? "")).toEqual(seen);
  });

  it("lets whoever finds a result published put the pointer right", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    const pointer = async () => JSON.parse((await store.text("sales/2026-02-05/manifest.json")) ?? "");
    const published = [];
    for (const hour of ["06", "07"]) {
      const draft = await draftOf(world, { fence: `2026-02-06T${hour}:00:00.000Z` });
      published.push((await world.repository.publish(draft, "changed")).manifest);
    }
    const [first, second] = published as [Manifest, Manifest];
    await store.put("sales/2026-02-05/manifest.json", { text: JSON.stringify(first) });
    await world.repository.complete(second);
    expect(await pointer()).toEqual(second);
    await world.repository.complete(first);
    expect(await pointer()).toEqual(second);
    await store.delete("sales/2026-02-05/manifest.json");
    await world.repository.complete(second);
    expect(await pointer()).toEqual(second);
  });

  it("never moves the pointer back, and replaces one that cannot be read", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    const pointer = async () => JSON.parse((await store.text("sales/2026-02-05/manifest.json")) ?? "").runId;
    const drafts = [
      await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" }),
      await draftOf(world, { fence: "2026-02-06T07:00:00.000Z" }),
    ] as const;
    for (const draft of drafts) await world.repository.publish(draft, "changed");
    await world.repository.publish(drafts[0], "changed");
    expect(await pointer()).toBe(drafts[1].runId);
    await store.put("sales/2026-02-05/manifest.json", { text: "{" });
    await world.repository.publish(drafts[1], "changed");
    expect(await pointer()).toBe(drafts[1].runId);
  });

  it("does not move the pointer back when a later run is quicker with it", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    const [early, late] = [
      await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" }),
      await draftOf(world, { fence: "2026-02-06T07:00:00.000Z" }),
    ];
    let overtaken = false;
    const slow: ObjectStore = {
      ...store,
      put: async (key, body, options) => {
        if (key.endsWith("/manifest.json") && !overtaken) {
          overtaken = true;
          await world.repository.publish(late, "changed");
        }
        return store.put(key, body, options);
      },
    };
    expect(
      (await createObjectResultRepository(slow, layout, createResultIndex(slow, layout)).publish(early, "changed"))
        .outcome,
    ).toBe("published");
    expect(JSON.parse((await store.text("sales/2026-02-05/manifest.json")) ?? "").runId).toBe(late.runId);
    expect((await world.repository.findPublished(dataset, date))?.runId).toBe(late.runId);
  });

  it("gives back whole bytes though a later run publishes while they are read", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    const { manifest } = await world.repository.publish(draft, "changed");
    await using copy = await world.repository.openResult(manifest);
    await world.repository.publish(await draftOf(world, { fence: "2026-02-06T07:00:00.000Z" }), "changed");
    expect(await readFile(copy.path, "utf8")).toBe(`rows of ${draft.runId}`);
  });

  it("keeps its promises through any fault of the store", async () => {
    const random = randomFrom(20_260_205);
    for (let round = 0; round < 12; round += 1) {
      const store = await openFileObjectStore(await tempFolder());
      const world = worldOf(faulty(store, random), await tempFolder());
      const calm = worldOf(store, await tempFolder());
      const drafts = await Promise.all(
        [0, 1, 2, 3].map((run) =>
          draftOf({ stage: calm.stage }, { fence: `2026-02-06T06:00:0${run % 3}.000Z`, runId: `run-${run}` }),
        ),
      );
      const told = await Promise.all(
        drafts.map((draft) => insisting(() => world.repository.publish(draft, "changed"))),
      );
      const live = await calm.repository.findPublished(dataset, date);
      expect(live?.runId).toBe("run-2");
      expect(JSON.parse((await store.text("sales/2026-02-05/manifest.json")) ?? "")).toEqual(live);
      for (const [run, { outcome, manifest }] of told.entries()) {
        const committed = await calm.repository.findCommitted(dataset, date, drafts[run]?.runId ?? parseRunId("none"));
        expect(outcome).toBe(committed === undefined ? "superseded" : "published");
        if (committed !== undefined) expect(manifest).toEqual(committed);
      }
      const fences: string[] = [];
      for (let seen = live; seen !== undefined; ) {
        fences.unshift(`${seen.fence} ${seen.runId}`);
        const text: string | undefined = seen.previous === null ? undefined : await store.text(seen.previous);
        seen = text === undefined ? undefined : parseManifest("", text);
      }
      expect(fences).toEqual([...new Set(fences)].toSorted());
      await using copy = await calm.repository.openResult(live ?? (told[0]?.manifest as Manifest));
      expect(await readFile(copy.path, "utf8")).toBe("rows of run-2");
    }
  });

  it("takes a lost answer to the commit for what it was", async () => {
    const store = await openFileObjectStore(await tempFolder());
    let lost = 0;
    const losing: ObjectStore = {
      ...store,
      put: async (key, body, options) => {
        const placed = await store.put(key, body, options);
        if (!key.endsWith("result.parquet") || key.startsWith("_staging") || lost > 0) return placed;
        lost += 1;
        return false;
      },
    };
    const world = worldOf(losing, await tempFolder());
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    const { outcome, manifest } = await world.repository.publish(draft, "changed");
    expect([outcome, manifest.runId, lost]).toEqual(["published", draft.runId, 1]);
  });

  it("refuses to replace an object that the service did not write", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    await store.put("sales/2026-02-05/result.parquet", { text: "somebody else's" });
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    await expect(world.repository.publish(draft, "force")).rejects.toThrow(StoreUnsafe);
    await expect(world.repository.findPublished(dataset, date)).rejects.toThrow(
      /^sales\/2026-02-05\/result\.parquet was not written by this service: it has 15 bytes of 20.*Z, without metadata\. Move it away, take it over with --adopt, or set another RESULT_KEY$/,
    );
    expect(await store.text("sales/2026-02-05/result.parquet")).toBe("somebody else's");
  });

  it("says what a foreign object tells of itself", async () => {
    const store = await openTestStore(inject("s3"));
    const world = worldOf(store, await tempFolder());
    await store.put(
      "sales/2026-02-05/result.parquet",
      { text: "x" },
      { metadata: { owner: "finance", job: "nightly" } },
    );
    await expect(world.repository.findPublished(dataset, date)).rejects.toThrow(
      /with the metadata (owner=finance, job=nightly|job=nightly, owner=finance)/,
    );
  });

  it("takes a foreign object over where asked, once, and never another dataset's result", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    await store.put("sales/2026-02-05/result.parquet", { text: "somebody else's" });
    expect(await world.repository.findPublished(dataset, date, "ignored")).toBeUndefined();
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    const { outcome, manifest } = await world.repository.publish(draft, "missing", "ignored");
    expect([outcome, manifest.previous]).toEqual(["published", null]);
    expect(await world.repository.findPublished(dataset, date)).toEqual(manifest);
    const older = await draftOf(world, { fence: "2026-02-06T05:00:00.000Z" });
    expect((await world.repository.publish(older, "force", "ignored")).outcome).toBe("superseded");

    const shared = worldOf(store, await tempFolder(), createResultLayout("sales/{date}/result.parquet", ["returns"]));
    const other = await draftOf(shared, { fence: "2026-02-06T07:00:00.000Z", dataset: "returns" });
    await expect(shared.repository.publish(other, "force", "ignored")).rejects.toThrow(/holds the result of sales/);
  });

  it("refuses a result that is larger than what the store is safe for", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    const draft = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    const careful = createObjectResultRepository(
      store,
      layout,
      createResultIndex(store, layout),
      draft.result.sizeBytes - 1,
    );
    await expect(careful.publish(draft, "changed")).rejects.toThrow(StoreUnsafe);
    await expect(careful.publish(draft, "changed")).rejects.toThrow(
      /^the result of sales 2026-02-05 has \d+ bytes, and /,
    );
    expect(await world.repository.findPublished(dataset, date)).toBeUndefined();
  });

  it("refuses to replace the result of another dataset", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const shared = createResultLayout("{date}/result.parquet", ["sales"]);
    const world = worldOf(store, await tempFolder(), shared);
    await world.repository.publish(await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" }), "changed");
    const other = await draftOf(world, { fence: "2026-02-06T07:00:00.000Z", dataset: "returns" });
    await expect(world.repository.publish(other, "changed")).rejects.toThrow(/holds the result of sales/);
  });

  it("removes what a run has staged, and only that", async () => {
    const store = await openFileObjectStore(await tempFolder());
    const world = worldOf(store, await tempFolder());
    const one = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    const other = await draftOf(world, { fence: "2026-02-06T06:00:00.000Z" });
    await world.repository.discardStaged(one.runId);
    expect(await keysOf(store, "_staging/")).toEqual([other.result.stagedKey]);
  });
});

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

/** Fails before or after every third call, or takes the answer of a write away. */
function faulty(store: ObjectStore, random: () => number): ObjectStore {
  const disturbed = async <T>(work: () => Promise<T>): Promise<T> => {
    if (random() < 0.15) throw new StoreUnavailable("before");
    const answer = await work();
    if (random() < 0.15) throw new StoreUnavailable("after");
    return answer;
  };
  return {
    ...store,
    head: (key) => disturbed(() => store.head(key)),
    text: (key) => disturbed(() => store.text(key)),
    put: async (key, body, options) => {
      const placed = await disturbed(() => store.put(key, body, options));
      return random() < 0.15 ? false : placed;
    },
  };
}

/** As an orchestrator does: again, while the store is away. */
async function insisting<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}
