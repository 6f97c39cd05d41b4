import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import type { Calculation } from "../../domain/model/analysis-result.ts";
import type { DatasetDefinition } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure, Crashed } from "../../domain/model/failure.ts";
import { parseTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";
import { hashFile } from "../file-hash.ts";
import { scratchName } from "../scratch-name.ts";
import { refuseArrowStream } from "./arrow-stream.ts";
import type { ChildMessage, ChildOrder, ChildResult, OrderedFile } from "./child-protocol.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { stampParquet } from "./stamp-parquet.ts";

export type ChildCalculation = {
  readonly calculate: (order: {
    readonly definition: DatasetDefinition;
    readonly date: TargetDate;
    readonly files: readonly OrderedFile[];
    readonly resultPath: string;
  }) => Promise<Calculation>;
  readonly warmUp: { readonly definition: DatasetDefinition; readonly date: TargetDate; readonly csv: string };
  readonly importDefinition: (
    file: string,
  ) => Promise<{ readonly exports: { readonly default?: unknown }; readonly digest: string }>;
};

/**
 * Warms up and does one calculation after another for the parent, which then ends this process. Ends at once when the
 * parent is gone.
 * @param definitions files to import ahead; without any there is no time to warm up, the order is waiting
 */
export async function serveParent(child: ChildCalculation, definitions: readonly string[]): Promise<void> {
  endWithParent();
  if (definitions.length > 0) await warm(child, definitions);
  process.on("message", async (order) => say(await answer(child, order as ChildOrder)));
  await say({ kind: "ready" });
}

async function answer(child: ChildCalculation, order: ChildOrder): Promise<ChildMessage> {
  try {
    return { kind: "done", result: await carryOut(child, order) };
  } catch (error) {
    const { code, message, details } = asFailure(error);
    return { kind: "failed", code, message, details };
  }
}

async function carryOut({ calculate, importDefinition }: ChildCalculation, order: ChildOrder): Promise<ChildResult> {
  const { exports, digest } = await importDefinition(order.definitionFile);
  if (digest !== order.definitionDigest) {
    throw new Crashed(`the definition ${order.definitionFile} was changed since the service started: start it again`);
  }
  // The parent has validated these very bytes.
  return produce(calculate, exports.default as DatasetDefinition, parseTargetDate(order.date), order);
}

/** From the files as they lie to a stamped result and its hash. */
async function produce(
  calculate: ChildCalculation["calculate"],
  definition: DatasetDefinition,
  date: TargetDate,
  { files: given, folder, stamp }: Pick<ChildOrder, "files" | "folder" | "stamp">,
): Promise<ChildResult> {
  const files: OrderedFile[] = [];
  for (const file of given) files.push(await plain(file, join(folder, `input-${files.length}`)));
  if (definition.format.type === "arrow") for (const { uri, path } of files) await refuseArrowStream(uri, path);
  const resultPath = join(folder, "result.parquet");
  const calculation = await calculate({ definition, date, files, resultPath });
  await stampParquet(resultPath, stamp);
  const { size } = await stat(resultPath);
  const sha256 = await hashFile(resultPath);
  return { calculation, resultPath, sizeBytes: size, sha256 };
}

async function plain(file: OrderedFile, target: string): Promise<OrderedFile> {
  // What is read in place is never compressed: its loader has looked.
  if (file.cloudOptions !== undefined) return file;
  const { uri, path } = file;
  const compression = await compressionOf(path);
  if (compression === undefined) return file;
  await decompress(uri, path, target, compression);
  return { uri, path: target };
}

const warmUps = 2;

/** Small real calculations: the first real one then finds the engine's threads started and this code compiled. */
async function warm(
  { calculate, warmUp, importDefinition }: ChildCalculation,
  definitions: readonly string[],
): Promise<void> {
  // One that cannot be loaded any more says so when it is ordered.
  await Promise.allSettled(definitions.map(importDefinition));
  for (let round = 0; round < warmUps; round += 1) {
    const folder = await mkdtemp(join(tmpdir(), scratchName("warm-up")));
    try {
      const path = join(folder, "warm-up.csv.gz");
      await writeFile(path, gzipSync(warmUp.csv));
      const files = [{ uri: "warm-up.csv.gz", path }];
      // Another object each time: what is remembered for a definition would not be built, and stay slow to build.
      await produce(calculate, { ...warmUp.definition }, warmUp.date, { files, folder, stamp: "warm-up" });
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}

function asFailure(error: unknown): AnalysisFailure {
  if (error instanceof AnalysisFailure) return error;
  return new Crashed(error instanceof Error ? error.message : String(error), { cause: error });
}

function say(message: ChildMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error: Error | null) =>
      error === null ? resolve() : reject(error),
    );
  });
}

/**
 * A thread of its own, since neither a running query nor an endless loop in an analysis lets this one see that the parent
 * is gone; SIGKILL, since `process.exit` waits for a running query.
 */
function endWithParent(): void {
  const watch = `
    const parent = ${process.ppid};
    setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 250);`;
  new Worker(watch, { eval: true }).unref();
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
}
