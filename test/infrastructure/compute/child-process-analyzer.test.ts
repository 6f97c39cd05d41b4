import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import pl from "nodejs-polars";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { InputInvalid, OutOfMemory, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import type { PinnedInput } from "../../../src/domain/value-object/fingerprint.ts";
import { createChildProcessAnalyzer } from "../../../src/infrastructure/compute/child-process-analyzer.ts";
import { createMemoryBudget } from "../../../src/infrastructure/compute/memory-budget.ts";
import { createWarmChildren } from "../../../src/infrastructure/compute/warm-children.ts";
import { loadDatasetCatalog } from "../../../src/infrastructure/config/dataset-catalog.ts";
import { hashFile } from "../../../src/infrastructure/file-hash.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "../../../src/infrastructure/store/object-store.ts";
import { parseRunAnalysisInput } from "../../../src/usecase/dto/run-analysis-input.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const main = fileURLToPath(new URL("../../../src/main-analysis-child.ts", import.meta.url));
const run = parseRunAnalysisInput({
  dataset: "till",
  date: "2026-02-05",
  runId: "run-1",
  fence: "2026-02-06T06:00:00.000Z",
});

const till = `import { defineDataset, pl, rowCount } from "polars-analysis-service";

export default defineDataset({
  id: "till",
  title: "Takings by store",
  source: { uri: "file:./{date}.csv" },
  format: { type: "csv" },
  schema: { store: { type: pl.String }, amount: { type: pl.Int64, nullable: true } },
  timeZone: "Europe/Berlin",
  analyze: (rows) => rows.groupBy("store", false).agg(pl.col("amount").sum().alias("total")),
  sortBy: ["store"],
  checks: [rowCount({ min: 2 })],
  compute: { memoryMiB: 1024 },
});
`;

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await tempFolder();
  await mkdir(join(folder, "scratch"));
  store = await openFileObjectStore(join(folder, "store"));
});

async function analyze(inputs: readonly Pick<PinnedInput, "location">[], definition = till, memoryMiB = 2048) {
  const definitions = await tempFolder();
  await writeFile(join(definitions, "till.ts"), definition);
  const catalog = await loadDatasetCatalog(definitions, () => {});
  const children = createWarmChildren({ main, spares: 0, definitions: [], env: process.env });
  onTestFinished(() => children[Symbol.asyncDispose]());
  const budget = createMemoryBudget(memoryMiB * 2 ** 20);
  const scratchFolder = join(folder, "scratch");
  const cloudOptions = () => Promise.reject(new Error("no input is read from S3"));
  const analyzer = createChildProcessAnalyzer({ store, children, budget, scratchFolder, cloudOptions });
  const pins = inputs.map(({ location }, index) => ({
    uri: `https://data.example/${index}`,
    location,
    sizeBytes: 1,
    sha256: "",
    fetchedAt: "",
  }));
  return analyzer.analyze({ run, entry: catalog.get(parseDatasetId("till")), inputs: pins });
}

async function fileOf(content: string | Buffer): Promise<{ readonly location: string }> {
  const path = join(await tempFolder(), "input");
  await writeFile(path, content);
  return { location: pathToFileURL(path).href };
}

async function stagedOf(key: string) {
  await using copy = await store.local(key);
  if (copy === undefined) throw new Error(`${key} is not there`);
  const path = join(await tempFolder(), "copy.parquet");
  await writeFile(path, await readFile(copy.path));
  return { rows: pl.readParquet(path).toRecords(), sha256: await hashFile(path) };
}

const keys = async () => {
  const found: string[] = [];
  for await (const { key } of store.list("")) found.push(key);
  return found;
};

describe("an analysis in a child process", () => {
  it("stages what it has calculated from files in place and from snapshots of the store", async () => {
    const path = join(await tempFolder(), "snapshot");
    await writeFile(path, gzipSync("amount,store\n5,b\n"));
    await store.put("_staging/run-1/x/in.csv.gz", { path, sizeBytes: 1, sha256: await hashFile(path) });
    const staged = await analyze([
      await fileOf("store,amount\na,1\na,2\n"),
      { location: "_staging/run-1/x/in.csv.gz" },
    ]);
    expect(staged).toMatchObject({ rows: 2, rowsRead: 3, checks: [{ passed: true }, { passed: true }] });
    expect(staged.stagedKey).toMatch(/^_staging\/run-1\/[0-9a-f-]{36}\/result\.parquet$/);
    const { rows, sha256 } = await stagedOf(staged.stagedKey);
    expect(rows).toEqual([
      { store: "a", total: 3 },
      { store: "b", total: 5 },
    ]);
    expect(sha256).toBe(staged.sha256);
    expect(await readdir(join(folder, "scratch"))).toEqual([]);
  });

  it("never meets another attempt of its run", async () => {
    const input = await fileOf("store,amount\na,1\nb,2\n");
    const [one, other] = [await analyze([input]), await analyze([input])];
    expect(one.stagedKey).not.toBe(other.stagedKey);
    expect(await keys()).toEqual([one.stagedKey, other.stagedKey].toSorted());
  });

  it("stages a result that fails its checks, for inspection", async () => {
    const staged = await analyze([await fileOf("store,amount\na,1\n")]);
    expect(staged.checks.at(-1)).toMatchObject({ name: "row count", passed: false });
    expect((await stagedOf(staged.stagedKey)).rows).toEqual([{ store: "a", total: 1 }]);
  });

  it("leaves nothing behind when it fails", async () => {
    await expect(analyze([await fileOf("store,amount\na,x\n")])).rejects.toThrow(InputInvalid);
    expect(await readdir(join(folder, "scratch"))).toEqual([]);
    expect(await keys()).toEqual([]);
  });

  it("says that a snapshot is gone", async () => {
    const failing = analyze([{ location: "_staging/run-1/x/gone.csv" }]);
    await expect(failing).rejects.toThrow(StoreUnavailable);
    await expect(failing).rejects.toThrow(
      /the snapshot _staging\/run-1\/x\/gone\.csv of https:\/\/data\.example\/0 is gone/,
    );
  });

  it("refuses an Arrow stream in words that say so, compressed or not", async () => {
    const arrow = till.replace('type: "csv"', 'type: "arrow"');
    const stream = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xa8, 0, 0, 0, 0x10, 0, 0, 0]);
    for (const content of [stream, gzipSync(stream)]) {
      const failing = analyze([await fileOf(content)], arrow);
      await expect(failing).rejects.toThrow(InputInvalid);
      await expect(failing).rejects.toThrow(/is an Arrow IPC stream, and a file was expected/);
    }
  });

  it("is not begun when its memory is more than the worker has", async () => {
    const failing = analyze([await fileOf("store,amount\na,1\n")], till, 512);
    await expect(failing).rejects.toThrow(OutOfMemory);
    await expect(failing).rejects.toThrow(/1024 MiB does not fit into the 512 MiB .* raise WORKER_MEMORY_MIB/);
  });

  it("takes what a small worker has when its definition says nothing", async () => {
    const modest = till.replace("  compute: { memoryMiB: 1024 },\n", "");
    const staged = await analyze([await fileOf("store,amount\na,1\nb,2\n")], modest, 512);
    expect(staged.peakMemoryBytes).toBeLessThan(512 * 2 ** 20);
  });
});
