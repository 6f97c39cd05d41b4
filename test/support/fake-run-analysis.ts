import type { Manifest } from "../../src/domain/model/analysis-result.ts";
import { parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import { parseFence } from "../../src/domain/value-object/fence.ts";
import { parseRunId } from "../../src/domain/value-object/run-id.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import { parseRunAnalysisInput, type RunAnalysisInput } from "../../src/usecase/dto/run-analysis-input.ts";
import type { RunAnalysisOutput } from "../../src/usecase/dto/run-analysis-output.ts";
import type { RunAnalysisUseCase } from "../../src/usecase/ports/input/run-analysis-usecase.ts";

type Step = "inspect" | "load" | "analyze" | "save";
type Steps = Pick<RunAnalysisUseCase, Step>;

export type Call = { readonly step: Step; readonly input: RunAnalysisInput; readonly atMs: number };

/** The steps without any work: each does what is given in its place, first, and is written down in `calls`. */
export function createFakeRunAnalysis(instead: Partial<Steps> = {}): {
  readonly useCase: RunAnalysisUseCase;
  readonly calls: readonly Call[];
  readonly steps: () => readonly Step[];
} {
  const calls: Call[] = [];
  const usual: Steps = {
    async inspect(input) {
      parseRunAnalysisInput(input);
      return {
        kind: "inspected",
        inputs: [{ uri: "file:///input.csv" }],
        limits: { timeLimitSeconds: 60, heartbeatTimeoutMs: 2_000 },
        steps: { inspect: { ms: 1, peakMemoryBytes: 1 } },
      };
    },
    load: async () => ({
      kind: "loaded",
      inputs: [],
      steps: { inspect: { ms: 1, peakMemoryBytes: 1 }, load: { ms: 1, peakMemoryBytes: 1 } },
    }),
    analyze: async (_input, loaded) => ({
      ...loaded,
      steps: {
        inspect: { ms: 1, peakMemoryBytes: 1 },
        load: { ms: 1, peakMemoryBytes: 1 },
        analyze: { ms: 1, peakMemoryBytes: 1 },
      },
      staged: {
        stagedKey: "_staging/run/token/result.parquet",
        sizeBytes: 1,
        sha256: "0".repeat(64),
        definitionDigest: "0".repeat(64),
        peakMemoryBytes: 1,
        rows: 2,
        columns: [],
        checks: [],
        rowsRead: 3,
        notes: [],
      },
    }),
    save: async (input) => fakeOutput(input),
  };
  const noted = <A extends [RunAnalysisInput, ...unknown[]], T>(step: Step, work: (...args: A) => Promise<T>) => {
    return (...args: A): Promise<T> => {
      calls.push({ step, input: args[0], atMs: performance.now() });
      return work(...args);
    };
  };
  const steps = { ...usual, ...instead };
  const useCase: RunAnalysisUseCase = {
    inspect: noted("inspect", steps.inspect),
    load: noted("load", steps.load),
    analyze: noted("analyze", steps.analyze),
    save: noted("save", steps.save),
    goOn: () => Promise.reject(new Error("an orchestrator calls the steps")),
    run: () => Promise.reject(new Error("an orchestrator calls the steps")),
  };
  return { useCase, calls, steps: () => calls.map(({ step }) => step) };
}

export function fakeOutput(
  input: RunAnalysisInput,
  outcome: RunAnalysisOutput["outcome"] = "published",
): RunAnalysisOutput {
  const { dataset, date } = input;
  return { dataset, date, outcome, rows: 2, manifest: fakeManifest(input) };
}

export function fakeManifest({ dataset, date, runId, fence }: RunAnalysisInput): Manifest {
  return {
    version: 2,
    dataset: parseDatasetId(dataset),
    date: parseTargetDate(date),
    runId: parseRunId(runId),
    fence: parseFence(fence),
    publishedAt: "2026-01-02T00:00:00.000Z",
    definitionDigest: "0".repeat(64),
    inputs: [],
    rowsRead: 3,
    notes: [],
    result: {
      key: `${dataset}/${date}/result.parquet`,
      rows: 2,
      sizeBytes: 1,
      sha256: "0".repeat(64),
      columns: [
        { name: "category", type: "String" },
        { name: "total", type: "Int64" },
      ],
    },
    checks: [],
    engine: { service: "0.0.0", polars: "0.0.0", node: "24.0.0" },
    steps: {
      inspect: { ms: 1, peakMemoryBytes: 1 },
      load: { ms: 1, peakMemoryBytes: 1 },
      analyze: { ms: 1, peakMemoryBytes: 1 },
    },
    key: `${dataset}/${date}/_manifests/1.json`,
    previous: null,
  };
}
