import { createWriteStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { hashFile } from "../../src/infrastructure/file-hash.ts";
import type { RunAnalysisOutput } from "../../src/usecase/dto/run-analysis-output.ts";
import { openTestStore, s3Environment } from "../support/s3.ts";
import { startVersitygw } from "../support/s3-servers.ts";
import { createServiceWithTemporal } from "../support/service.ts";
import { startTestServer } from "../support/temporal.ts";

/*
 * One result above what a single request may carry, through the real worker to a real S3 server, in parts. Columns of
 * sines hardly compress. Needs 40 GB of disk, and 20 GB of memory, nearly all for the engine's sort of the result.
 */

const columns = 100;
const { gib = "6" } = parseArgs({ options: { gib: { type: "string" } } }).values;
/** They do compress, by a twentieth. */
const rows = Math.ceil((Number(gib) * 2 ** 30) / (7.6 * columns));
/** S3's own, or for a small rehearsal one below its size. */
const limitMib = Math.min(5120, Math.max(1, Math.floor(Number(gib) * 900)));
const say = (text: string) => process.stdout.write(`${text}\n`);
const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

say(`a result of ${gib} GiB: ${rows} rows of ${columns} columns of sines`);
await using server = await startVersitygw({ concurrency: 1 });
await using temporal = await startTestServer();
const env = s3Environment(server);
await using service = await createServiceWithTemporal(temporal.address, {
  ...env,
  WORKER_MEMORY_MIB: "20480",
  S3_SINGLE_PUT_MIB: `${limitMib}`,
});
await service.define("big", {
  schema: "{ id: { type: pl.Int64 } }",
  analyze: `(rows) => rows.select("id", ...Array.from({ length: ${columns} }, (_, k) => pl.col("id").add(k * 0.7).sin().alias("s" + k)))`,
  sortBy: '["id"]',
  compute: "{ memoryMiB: 20000, timeLimitSeconds: 3600 }",
});
await pipeline(Readable.from(ids(rows)), createWriteStream(join(service.datasets, "2026-01-01.csv")));

const worker = await service.worker();
const started = performance.now();
const progress = setInterval(() => say(`${Math.round((performance.now() - started) / 1000)} s`), 30_000);
const { manifest }: RunAnalysisOutput = await service.client.workflow
  .execute("runAnalysis", {
    taskQueue: "analysis",
    workflowId: "analysis/big/2026-01-01",
    args: [{ dataset: "big", date: "2026-01-01" }],
    workflowExecutionTimeout: "1 hour",
  })
  .finally(() => clearInterval(progress));
const seconds = Math.round((performance.now() - started) / 1000);

using store = await openTestStore(server, { prefix: (env["STORE_URL"] ?? "").split("/").at(-1) ?? "" });
const published = await store.head(manifest.result.key);
await using local = await store.local(manifest.result.key);
const sha256 = await hashFile(local?.path ?? "");
const staged = await Array.fromAsync(store.list("_staging/"));
const unfinished = await Array.fromAsync(store.unfinished());
say(`published ${published?.sizeBytes} bytes in ${seconds} s, etag ${published?.etag}`);
say(
  `steps: ${Object.entries(manifest.steps)
    .map(([name, step]) => `${name} ${Math.round(step.ms / 1000)} s`)
    .join(", ")}`,
);
say(
  `peak resident memory: worker ${mib(await peakOf(worker.pid))}, child ${mib(manifest.steps.analyze.peakMemoryBytes)}`,
);

const faults = [
  published?.sizeBytes === manifest.result.sizeBytes ? [] : ["the published size is not the manifest's"],
  manifest.result.sizeBytes > Number(gib) * 2 ** 30 ? [] : ["the result is smaller than it should be"],
  sha256 === manifest.result.sha256 && (await stat(local?.path ?? "")).size > 0
    ? []
    : ["the bytes are not the manifest's"],
  /-\d+"$/.test(published?.etag ?? "") ? [] : ["it was not uploaded in parts"],
  staged.length === 0 && unfinished.length === 0 ? [] : ["something was left behind"],
].flat();
say(faults.length === 0 ? "all is right" : faults.join("; "));
process.exitCode = faults.length === 0 ? 0 : 3;

function* ids(count: number): Iterable<string> {
  yield "id\n";
  for (let start = 0; start < count; start += 10_000) {
    const length = Math.min(10_000, count - start);
    yield `${Array.from({ length }, (_, index) => start + index).join("\n")}\n`;
  }
}

async function peakOf(pid: number): Promise<number> {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]) * 1024;
}
