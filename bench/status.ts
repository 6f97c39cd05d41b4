/*
 * `status` of ten years of one dataset, the whole use case from the store alone: on disk, and on the S3 server that
 * BENCH_S3_URL, such as `s3://bucket/bench`, and AWS's own variables name. Results of a few bytes are published by the real
 * repository, and what the index adds to a publication is printed, too. Nothing is asserted: machines differ.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseDatasetId } from "../src/domain/value-object/dataset-id.ts";
import { parseFence } from "../src/domain/value-object/fence.ts";
import { parseRunId } from "../src/domain/value-object/run-id.ts";
import { parseTargetDate, type TargetDate } from "../src/domain/value-object/target-date.ts";
import { readSettings } from "../src/infrastructure/config/settings.ts";
import { createResultIndex } from "../src/infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "../src/infrastructure/repository/object-result-repository.ts";
import { createResultLayout, defaultResultKey, stagingOf } from "../src/infrastructure/repository/result-layout.ts";
import type { ObjectStore } from "../src/infrastructure/store/object-store.ts";
import type { ManifestDraft } from "../src/usecase/ports/output/result-repository.ts";
import { wireCli, wireCore } from "../src/wiring.ts";

const { values } = parseArgs({
  options: { dates: { type: "string", default: "3650" }, runs: { type: "string", default: "20" } },
});
const runs = Number(values.runs);
const dataset = parseDatasetId("sales");
const layout = createResultLayout(defaultResultKey, [dataset]);
const dates = Array.from({ length: Number(values.dates) }, (_, day) =>
  parseTargetDate(new Date(Date.UTC(2016, 0, 1 + day)).toISOString().slice(0, 10)),
);
const atOnce = 8;

const folder = await mkdtemp(join(tmpdir(), "bench-status-"));
try {
  await mkdir(join(folder, "datasets"));
  await writeFile(join(folder, "datasets/sales.ts"), definition());
  await measure("disk", `file:${join(folder, "store")}`);
  const s3 = process.env["BENCH_S3_URL"];
  if (s3 === undefined) process.stdout.write("S3: not measured, BENCH_S3_URL is not set\n");
  else await measure("S3", `${s3}/${randomUUID()}`);
} finally {
  await rm(folder, { recursive: true });
}

async function measure(name: string, storeUrl: string): Promise<void> {
  const env = { ...process.env, DATASETS: join(folder, "datasets"), STORE_URL: storeUrl };
  await using core = await wireCore(readSettings(env), "never");
  const { store } = core;
  const index = createResultIndex(store, layout);
  const indexed = createObjectResultRepository(store, layout, index);
  const plain = createObjectResultRepository(store, layout, { ...index, enter: async () => {} });

  for (let start = 0; start < dates.length; start += atOnce) {
    await Promise.all(dates.slice(start, start + atOnce).map((date) => publish(store, indexed, date, 0)));
  }
  const [withIndex, without]: [number[], number[]] = [[], []];
  for (const [day, date] of dates.slice(-2 * runs).entries()) {
    const [repository, times] = day % 2 === 0 ? [indexed, withIndex] : [plain, without];
    times.push(await publish(store, repository, date, 1));
  }
  await using status = await wireCli(env).status();
  await status.useCase.rebuild(dataset);
  const statusMs: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    const to = dates.at(-1) ?? "";
    const report = await status.useCase.status({ dataset, to, fromStoreAlone: true });
    statusMs.push(performance.now() - started);
    const published = report.datasets[0]?.counts.published;
    if (published !== dates.length) throw new Error(`expected ${dates.length} published dates, got ${published}`);
  }
  const objects = await Array.fromAsync(store.list(`_index/${dataset}/`));
  const rebuildStarted = performance.now();
  await status.useCase.rebuild(dataset);
  const rebuildMs = performance.now() - rebuildStarted;
  const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const largest = Math.max(...objects.map(({ sizeBytes }) => sizeBytes));
  const line = (what: string, times: readonly number[]) =>
    process.stdout.write(
      `${name}: ${what.padEnd(36)} median ${quantile(times, 0.5).toFixed(1).padStart(7)} ms   p95 ${quantile(times, 0.95).toFixed(1).padStart(7)} ms\n`,
    );
  process.stdout.write(`${name}: ${dates.length} dates, an index of ${bytes} bytes, ${largest} the largest object\n`);
  line(`status, ${runs} times`, statusMs);
  line("publication with the index", withIndex);
  line("publication without it", without);
  process.stdout.write(`${name}: rebuild ${rebuildMs.toFixed(0)} ms\n`);
}

/** How long the publication took, without staging. */
async function publish(
  store: ObjectStore,
  repository: ReturnType<typeof createObjectResultRepository>,
  date: TargetDate,
  hour: number,
): Promise<number> {
  const draft = await stage(store, date, hour);
  const started = performance.now();
  await repository.publish(draft, "changed");
  const ms = performance.now() - started;
  await repository.discardStaged(draft.runId);
  return ms;
}

async function stage(store: ObjectStore, date: TargetDate, hour: number): Promise<ManifestDraft> {
  const runId = parseRunId(randomUUID());
  const content = `rows of ${runId}`;
  const path = join(folder, runId);
  await writeFile(path, content);
  const [sizeBytes, sha256] = [content.length, createHash("sha256").update(content).digest("hex")];
  const stagedKey = `${stagingOf(runId)}${runId}/result.parquet`;
  await store.put(stagedKey, { path, sizeBytes, sha256 }, { condition: { ifAbsent: true }, durable: false });
  await rm(path);
  const step = { ms: 1, peakMemoryBytes: 1 };
  return {
    dataset,
    date,
    runId,
    fence: parseFence(`2026-02-06T0${hour}:00:00.000Z`),
    definitionDigest: "d".repeat(64),
    inputs: [],
    rowsRead: 1,
    notes: [],
    result: { stagedKey, rows: 1, sizeBytes, sha256, columns: [] },
    checks: [],
    engine: { service: "0", polars: "0", node: "0" },
    steps: { inspect: step, load: step, analyze: step },
  };
}

function definition(): string {
  return `import { defineDataset, pl } from "polars-analysis-service";
export default defineDataset({
  id: "${dataset}", title: "Sales", source: { uri: "file:./{date}.csv" }, format: { type: "csv" },
  schema: { a: { type: pl.Int64 } }, timeZone: "Europe/Berlin", schedule: "0 6 * * *", deadline: "09:00",
  analyze: (rows) => rows, sortBy: ["a"], checks: [],
});
`;
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
