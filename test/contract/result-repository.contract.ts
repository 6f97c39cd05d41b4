import { createHash, randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import { parseFence } from "../../src/domain/value-object/fence.ts";
import { parseRunId, type RunId } from "../../src/domain/value-object/run-id.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import type { ManifestDraft, ResultRepository } from "../../src/usecase/ports/output/result-repository.ts";

export const dataset = parseDatasetId("sales");
export const date = parseTargetDate("2026-02-05");

export type RepositoryWorld = {
  readonly repository: ResultRepository;
  /** Stages a text as if it were a result. */
  readonly stage: (runId: RunId, content: string) => Promise<string>;
  readonly read: (path: string) => Promise<string>;
};

/** A draft of a run whose result is the text `rows of <run>`. */
export async function draftOf(
  { stage }: Pick<RepositoryWorld, "stage">,
  run: { readonly runId?: string; readonly fence: string; readonly dataset?: string; readonly date?: string },
): Promise<ManifestDraft> {
  const runId = parseRunId(run.runId ?? randomUUID());
  const content = `rows of ${runId}`;
  const sha256 = createHash("sha256").update(content).digest("hex");
  return {
    dataset: parseDatasetId(run.dataset ?? dataset),
    date: parseTargetDate(run.date ?? date),
    runId,
    fence: parseFence(run.fence),
    definitionDigest: "d".repeat(64),
    inputs: [],
    rowsRead: 3,
    notes: [],
    result: { stagedKey: await stage(runId, content), rows: 2, sizeBytes: content.length, sha256, columns: [] },
    checks: [],
    engine: { service: "0", polars: "0", node: "0" },
    steps: {
      inspect: { ms: 1, peakMemoryBytes: 1 },
      load: { ms: 1, peakMemoryBytes: 1 },
      analyze: { ms: 1, peakMemoryBytes: 1 },
    },
  };
}

const early = "2026-02-06T06:00:00.000Z";
const late = "2026-02-06T07:00:00.000Z";

/** What every result repository must do. `open` gives an empty one. */
export function resultRepositoryContract(name: string, open: () => Promise<RepositoryWorld>): void {
  describe(`a result repository: ${name}`, () => {
    it("has nothing before the first publication", async () => {
      const { repository } = await open();
      expect(await repository.findPublished(dataset, date)).toBeUndefined();
      expect(await repository.findCommitted(dataset, date, parseRunId("r"))).toBeUndefined();
    });

    it("publishes a staged result with its manifest, and gives back the bytes that the manifest describes", async () => {
      const world = await open();
      const draft = await draftOf(world, { fence: early });
      const { outcome, manifest } = await world.repository.publish(draft, "changed");
      expect(outcome).toBe("published");
      expect(manifest).toMatchObject({
        runId: draft.runId,
        previous: null,
        result: { rows: 2, sha256: draft.result.sha256 },
      });
      expect(await world.repository.findPublished(dataset, date)).toEqual(manifest);
      await using copy = await world.repository.openResult(manifest);
      expect(await world.read(copy.path)).toBe(`rows of ${draft.runId}`);
    });

    it("gives the same answer to a run that asks twice", async () => {
      const world = await open();
      const draft = await draftOf(world, { fence: early });
      const first = await world.repository.publish(draft, "changed");
      await world.repository.discardStaged(draft.runId);
      expect(await world.repository.publish(draft, "changed")).toEqual(first);
    });

    it("lets a later run replace, and remembers what it replaced", async () => {
      const world = await open();
      const first = await world.repository.publish(await draftOf(world, { fence: early }), "changed");
      const second = await world.repository.publish(await draftOf(world, { fence: late }), "changed");
      expect(second.outcome).toBe("published");
      expect(second.manifest.previous).toBe(first.manifest.key);
      expect(await world.repository.findCommitted(dataset, date, first.manifest.runId)).toEqual(first.manifest);
      await expect(world.repository.openResult(first.manifest)).rejects.toThrow(/replaced/);
    });

    it("never lets an older run replace a newer one", async () => {
      const world = await open();
      const newer = await world.repository.publish(await draftOf(world, { fence: late }), "changed");
      const older = await world.repository.publish(await draftOf(world, { fence: early }), "force");
      expect(older).toEqual({ outcome: "superseded", manifest: newer.manifest });
      expect(await world.repository.findPublished(dataset, date)).toEqual(newer.manifest);
    });

    it("tells a run that was replaced meanwhile that it had published", async () => {
      const world = await open();
      const draft = await draftOf(world, { fence: early });
      const first = await world.repository.publish(draft, "changed");
      await world.repository.publish(await draftOf(world, { fence: late }), "changed");
      expect(await world.repository.publish(draft, "changed")).toEqual(first);
    });

    it("orders runs of one instant by their ids", async () => {
      const world = await open();
      const b = await world.repository.publish(await draftOf(world, { fence: early, runId: "b" }), "changed");
      const a = await world.repository.publish(await draftOf(world, { fence: early, runId: "a" }), "changed");
      const c = await world.repository.publish(await draftOf(world, { fence: early, runId: "c" }), "changed");
      expect([b.outcome, a.outcome, c.outcome]).toEqual(["published", "superseded", "published"]);
    });

    it("skips in mode `missing` where something is published", async () => {
      const world = await open();
      const first = await world.repository.publish(await draftOf(world, { fence: early }), "missing");
      const second = await world.repository.publish(await draftOf(world, { fence: late }), "missing");
      expect(first.outcome).toBe("published");
      expect(second).toEqual({ outcome: "skipped", manifest: first.manifest });
    });

    it("ends with the newest of many that publish at the same time, each at most once, in one chain", async () => {
      const world = await open();
      const fences = Array.from({ length: 8 }, (_, index) => `2026-02-06T06:00:0${index}.000Z`);
      const drafts = await Promise.all(fences.map((fence) => draftOf(world, { fence })));
      const results = await Promise.all(drafts.map((draft) => world.repository.publish(draft, "changed")));
      const published = results.filter(({ outcome }) => outcome === "published").map(({ manifest }) => manifest.runId);
      const live = await world.repository.findPublished(dataset, date);
      expect(live?.fence).toBe(fences.at(-1));
      for (const { runId } of drafts) {
        const committed = await world.repository.findCommitted(dataset, date, runId);
        expect(committed !== undefined).toBe(published.includes(runId));
      }
    });
  });
}
