import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, inject, it } from "vitest";
import type { Manifest } from "../../../src/domain/model/analysis-result.ts";
import { InputMissing, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { isOlder } from "../../../src/domain/value-object/fence.ts";
import type { RunId } from "../../../src/domain/value-object/run-id.ts";
import { parseManifest } from "../../../src/infrastructure/repository/manifest-schema.ts";
import { createResultIndex } from "../../../src/infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "../../../src/infrastructure/repository/object-result-repository.ts";
import { createResultLayout } from "../../../src/infrastructure/repository/result-layout.ts";
import type { ObjectStore } from "../../../src/infrastructure/store/object-store.ts";
import type { ResultRepository } from "../../../src/usecase/ports/output/result-repository.ts";
import { dataset, date, draftOf } from "../../contract/result-repository.contract.ts";
import { type Fault, s3Error, seededFaults, startFaultProxy } from "../../support/fault-proxy.ts";
import { openTestStore } from "../../support/s3.ts";
import { stageContent } from "../../support/stage-content.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const access = inject("s3");
const layout = createResultLayout("{dataset}/{date}/result.parquet", [dataset]);

const rates: readonly (readonly [number, Fault])[] = [
  [0.08, { kind: "drop-response" }],
  [0.05, { kind: "reset-before" }],
  [0.05, { kind: "cut-request", afterBytes: 5 }],
  [0.05, { kind: "cut-response", afterBytes: 5 }],
  [0.05, s3Error(503, "SlowDown")],
  [0.04, s3Error(409, "ConditionalRequestConflict")],
  [0.08, { kind: "delay", ms: 150 }],
];

async function stage(store: ObjectStore, runId: RunId, content: string): Promise<string> {
  return stageContent(store, await tempFolder(), runId, content);
}

/** As an orchestrator does. */
async function insisting<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || attempt === 20) throw error;
    }
  }
}

/** Looks until stopped, and fails when it sees a mix, a gap or a step back. */
async function watch(repository: ResultRepository, store: ObjectStore, signal: AbortSignal): Promise<number> {
  let last: Manifest | undefined;
  let seen = 0;
  while (!signal.aborted) {
    const pointer = await store.text(layout.manifest(dataset, date));
    const manifest = await repository.findPublished(dataset, date);
    // manifest.json follows: what it named a moment ago is live now, or older.
    const pointed = pointer === undefined ? undefined : parseManifest("manifest.json", pointer);
    if (pointed !== undefined) expect(manifest !== undefined && !isOlder(manifest, pointed)).toBe(true);
    if (last !== undefined) expect(manifest !== undefined && !isOlder(manifest, last)).toBe(true);
    last = manifest;
    if (manifest === undefined) continue;
    try {
      await using copy = await repository.openResult(manifest);
      expect(await readFile(copy.path, "utf8")).toBe(`rows of ${manifest.runId}`);
      seen += 1;
    } catch (error) {
      if (!(error instanceof InputMissing)) throw error;
    }
  }
  return seen;
}

it.each([1, 2, 3, 4])("keeps its promises on a real server behind a bad network, seed %i", async (seed) => {
  await using proxy = await startFaultProxy({ target: new URL(access.endpoint), plan: seededFaults(seed, rates) });
  const prefix = `faults-${seed}-${randomUUID()}`;
  using calm = await openTestStore(access, { prefix });
  const shaken = await insisting(() => openTestStore({ ...access, endpoint: proxy.endpoint }, { prefix }));
  using _closing = shaken;
  const [quiet, repository] = [calm, shaken].map((store) =>
    createObjectResultRepository(store, layout, createResultIndex(store, layout)),
  );
  if (quiet === undefined || repository === undefined) throw new Error("two stores give two repositories");

  const fences = ["06:00:00", "06:00:01", "06:00:01", "06:00:02", "06:00:03", "06:00:04"];
  const world = { stage: (runId: RunId, content: string) => stage(calm, runId, content) };
  const drafts = await Promise.all(fences.map((time) => draftOf(world, { fence: `2026-02-06T${time}.000Z` })));
  const stop = new AbortController();
  const watching = watch(quiet, calm, stop.signal);
  // Each twice: a first attempt that was given up for dead works on beside the second.
  const writing = drafts.flatMap((draft) => [0, 1].map(() => insisting(() => repository.publish(draft, "changed"))));
  const answers = await Promise.all(writing).finally(() => stop.abort());
  expect(await watching).toBeGreaterThan(0);

  const live = await quiet.findPublished(dataset, date);
  expect(live?.fence).toBe("2026-02-06T06:00:04.000Z");
  const chain: Manifest[] = [];
  for (let next = live; next !== undefined; ) {
    chain.unshift(next);
    const previous = next.previous === null ? undefined : await calm.text(next.previous);
    next = previous === undefined ? undefined : parseManifest(next.previous ?? "", previous);
  }
  for (const [index, manifest] of chain.entries()) {
    const before = chain[index - 1];
    if (before !== undefined) expect(isOlder(before, manifest)).toBe(true);
  }
  const committed = new Set(chain.map(({ runId }) => runId));
  for (const [index, answer] of answers.entries()) {
    const runId = drafts[Math.floor(index / 2)]?.runId ?? "";
    expect([runId, answer.outcome]).toEqual([runId, committed.has(runId as never) ? "published" : "superseded"]);
  }
  const happened = proxy.faults();
  expect(happened["drop-response"]).toBeGreaterThan(0);
  expect(happened["reset-before"] + happened["cut-request"] + happened["cut-response"]).toBeGreaterThan(0);
});
