import type { Manifest, StagedResult } from "../../src/domain/model/analysis-result.ts";
import { InputMissing, UnknownDataset } from "../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import { isOlder } from "../../src/domain/value-object/fence.ts";
import type { InspectedInput, PinnedInput } from "../../src/domain/value-object/fingerprint.ts";
import type { RunAnalysisPorts } from "../../src/usecase/interactor/run-analysis-interactor.ts";
import type { DatasetCatalog } from "../../src/usecase/ports/output/dataset-catalog.ts";
import type { ResultRepository } from "../../src/usecase/ports/output/result-repository.ts";

const id = parseDatasetId("sales");

/** What a test changes between runs, and what the ports were asked for. */
export type World = {
  digest: string;
  content: string | undefined;
  /** Whether a look at the source tells the content. */
  strongLook: boolean;
  checksPass: boolean;
  readonly calls: string[];
  readonly staged: Set<string>;
  readonly history: Manifest[];
};

export function createWorld(): World {
  return {
    digest: "d1",
    content: "c1",
    strongLook: true,
    checksPass: true,
    calls: [],
    staged: new Set(),
    history: [],
  };
}

export function fakeCatalog(world: World): DatasetCatalog {
  const entry = () => ({
    id,
    digest: world.digest,
    file: "/definitions/sales.ts",
    definition: { compute: { timeLimitSeconds: 60 }, source: { uri: "file:./{date}" } } as never,
  });
  return {
    get(wanted) {
      if (wanted !== id) throw new UnknownDataset(`there is no dataset ${wanted}`);
      return entry();
    },
    list: () => [entry()],
  };
}

export function fakePorts(world: World): RunAnalysisPorts {
  const called = (name: string) => world.calls.push(name);
  return {
    catalog: fakeCatalog(world),
    engine: { service: "1", polars: "1", node: "1" },
    peakMemoryBytes: () => 1,
    heartbeatTimeoutMs: 1_000,
    loader: {
      async inspect(): Promise<readonly InspectedInput[]> {
        called("loader.inspect");
        if (world.content === undefined) throw new InputMissing("nothing there");
        return [{ uri: "file:///in", ...(world.strongLook ? { sha256: world.content } : {}) }];
      },
      async load(): Promise<readonly PinnedInput[]> {
        called("loader.load");
        return [
          { uri: "file:///in", location: "file:///in", sizeBytes: 1, sha256: world.content ?? "", fetchedAt: "now" },
        ];
      },
      async verify() {
        called("loader.verify");
      },
    },
    analyzer: {
      async analyze({ run }): Promise<StagedResult> {
        called("analyzer.analyze");
        const stagedKey = `_staging/${run.runId}/result.parquet`;
        world.staged.add(stagedKey);
        const check = { name: "rows", on: "result", passed: world.checksPass, observed: "1", expected: "2" } as const;
        return {
          rows: 1,
          columns: [],
          checks: [check],
          rowsRead: 1,
          notes: [],
          stagedKey,
          sizeBytes: 1,
          sha256: `of ${run.runId}`,
          definitionDigest: world.digest,
          peakMemoryBytes: 1,
        };
      },
    },
    repository: fakeRepository(world),
  };
}

/** Holds one partition. The path of a result is what it holds. */
export function fakeRepository(world: World): ResultRepository {
  const live = () => world.history.at(-1);
  return {
    findPublished: async () => live(),
    complete: async () => {},
    async *history() {
      yield* world.history.toReversed();
    },
    findCommitted: async (_dataset, _date, runId) => world.history.find((manifest) => manifest.runId === runId),
    async publish(draft, mode) {
      world.calls.push("repository.publish");
      const current = live();
      const mine = world.history.find((manifest) => manifest.runId === draft.runId);
      if (mine !== undefined) return { outcome: "published", manifest: mine };
      if (current !== undefined && isOlder(draft, current)) return { outcome: "superseded", manifest: current };
      if (current !== undefined && mode === "missing") return { outcome: "skipped", manifest: current };
      const { stagedKey: _, ...result } = draft.result;
      const manifest: Manifest = {
        version: 2,
        ...draft,
        publishedAt: "now",
        result: { key: "k", ...result },
        key: `m-${draft.runId}`,
        previous: current?.key ?? null,
      };
      world.history.push(manifest);
      return { outcome: "published", manifest };
    },
    async openResult(manifest) {
      if (live()?.runId !== manifest.runId) throw new InputMissing("the result was replaced");
      return { path: `rows of ${manifest.runId}`, [Symbol.asyncDispose]: async () => {} };
    },
    async discardStaged(runId) {
      for (const key of world.staged) if (key.includes(runId)) world.staged.delete(key);
    },
  };
}
