import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { computeDefaults } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure, failureOf, StoreUnavailable } from "../../domain/model/failure.ts";
import type { PinnedInput } from "../../domain/value-object/fingerprint.ts";
import type { Analyzer } from "../../usecase/ports/output/analyzer.ts";
import { parseS3Address } from "../loader/s3-address.ts";
import { stageFile } from "../repository/stage-file.ts";
import { scratchName } from "../scratch-name.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { ChildOrder, OrderedFile } from "./child-protocol.ts";
import { createMemoryBudget, type MemoryBudget } from "./memory-budget.ts";
import { supervise } from "./supervise-child.ts";
import type { WarmChildren } from "./warm-children.ts";

export type ChildProcessAnalyzerOptions = {
  readonly store: ObjectStore;
  readonly children: WarmChildren;
  readonly budget: MemoryBudget;
  /** Calculations at a time, however much memory there is. Default: no limit. */
  readonly atMost?: number;
  /** Where calculations keep their files while they run. */
  readonly scratchFolder: string;
  /** What the engine needs to read from a bucket, credentials included. Asked for when an input is read there in place. */
  readonly cloudOptions: (bucket: string) => Promise<Readonly<Record<string, string>>>;
};

/** Each calculation in a child process of its own, which is ended for its memory, its time, or the caller's signal. */
export function createChildProcessAnalyzer({
  store,
  children,
  budget,
  atMost = Number.POSITIVE_INFINITY,
  scratchFolder,
  cloudOptions,
}: ChildProcessAnalyzerOptions): Analyzer {
  // Before the memory, so that who waits for a turn holds none.
  const turns = createMemoryBudget(atMost);
  return {
    async analyze(order, signal) {
      const { run, entry } = order;
      const { memoryMiB, timeLimitSeconds = computeDefaults.timeLimitSeconds, cores } = entry.definition.compute ?? {};
      // A definition that says nothing takes what a small machine has.
      const memoryBytes =
        memoryMiB === undefined
          ? Math.min(computeDefaults.memoryMiB * 2 ** 20, budget.totalBytes)
          : memoryMiB * 2 ** 20;
      await using _turn = await turns.reserve(1, signal);
      await using _reserved = await budget.reserve(memoryBytes, signal);
      const folder = await mkdtemp(join(scratchFolder, scratchName("calculation")));
      try {
        await using disposables = new AsyncDisposableStack();
        const files = await Promise.all(order.inputs.map((input) => fileOf(input, disposables)));
        const result = await supervise(
          children.take(cores, entry.file),
          {
            definitionFile: entry.file,
            definitionDigest: entry.digest,
            date: run.date,
            files,
            folder,
            stamp: `dataset=${run.dataset};date=${run.date};run=${run.runId};fence=${run.fence}`,
          },
          { memoryBytes, timeLimitMs: timeLimitSeconds * 1000 },
          `the analysis of ${run.dataset} ${run.date}`,
          signal,
        ).catch((error: unknown) => {
          throw withoutSecrets(error, files);
        });
        const { resultPath, calculation, sizeBytes, sha256, peakMemoryBytes } = result;
        const stagedKey = await stageFile(store, run.runId, "result.parquet", { path: resultPath, sizeBytes, sha256 });
        return {
          ...calculation,
          stagedKey,
          sizeBytes,
          sha256,
          peakMemoryBytes,
          definitionDigest: entry.digest,
        };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };

  async function fileOf({ uri, location }: PinnedInput, disposables: AsyncDisposableStack): Promise<OrderedFile> {
    if (location.startsWith("file:")) return { uri, path: fileURLToPath(location) };
    if (location.startsWith("s3:")) {
      const { bucket } = parseS3Address(location);
      return { uri, path: location, cloudOptions: await cloudOptions(bucket) };
    }
    const copy = await store.local(location);
    if (copy === undefined) throw new StoreUnavailable(`the snapshot ${location} of ${uri} is gone from the store`);
    disposables.use(copy);
    return { uri, path: copy.path };
  }
}

/** A last guard: what an engine says before it dies is not of this service's making. */
function withoutSecrets(error: unknown, files: ChildOrder["files"]): unknown {
  const secrets = files.flatMap(({ cloudOptions = {} }) =>
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"].flatMap((name) => cloudOptions[name] ?? []),
  );
  if (!(error instanceof AnalysisFailure) || !secrets.some((secret) => error.message.includes(secret))) return error;
  const message = secrets.reduce((text, secret) => text.replaceAll(secret, "…"), error.message);
  return failureOf(error.code, message, error.details);
}
