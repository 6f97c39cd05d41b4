import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { Crashed, InputInvalid, OutOfMemory, TimedOut } from "../../../src/domain/model/failure.ts";
import { supervise } from "../../../src/infrastructure/compute/supervise-child.ts";
import { createWarmChildren } from "../../../src/infrastructure/compute/warm-children.ts";
import { importDefinition } from "../../../src/infrastructure/config/definition-modules.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const main = fileURLToPath(new URL("../../../src/main-analysis-child.ts", import.meta.url));
const parent = fileURLToPath(new URL("../../support/child-parent.ts", import.meta.url));
const roomy = { memoryBytes: 2 ** 40, timeLimitMs: 60_000 };

/** A definition whose analysis is the given text, and one small input. */
async function definitionOf(analyze: string): Promise<{ readonly file: string; readonly input: string }> {
  const folder = await tempFolder();
  const file = join(folder, "sales.ts");
  await writeFile(
    file,
    `import { defineDataset, pl } from "polars-analysis-service";
     const many = () => pl.select(pl.intRange({ start: 0, end: 20_000 }).alias("i")).lazy();
     export default defineDataset({
       id: "sales", title: "Sales", source: { uri: "file:./{date}.csv" }, format: { type: "csv" },
       schema: { k: { type: pl.String }, v: { type: pl.Int64 } }, timeZone: "UTC", sortBy: ["k"], checks: [],
       analyze: ${analyze},
     });`,
  );
  const input = join(folder, "in.csv");
  await writeFile(input, "k,v\na,1\nb,2\n");
  return { file, input };
}

const sum = `(rows) => rows.groupBy("k").agg(pl.col("v").sum())`;
const heavy = `(rows) => {
  const cross = { how: "cross" } as never;
  const pairs = many().join(many().withColumnRenamed("i", "j"), cross);
  return rows.limit(1).join(pairs, cross).select(pl.col("i").add(pl.col("j")).cast(pl.String).alias("k"), pl.col("v")).sort("k");
}`;

/** Polars 0.54 aborts the process: its own message is all that is known of it. */
const panic = `(rows) => rows
  .withColumn(pl.col("v").cast(pl.Datetime("ms")).alias("t"))
  .groupByDynamic({ indexColumn: "t", every: "0d" })
  .agg(pl.len())`;

async function calculating(
  analyze: string,
  {
    limits = roomy,
    spares = 0,
    signal,
    env = {},
  }: { limits?: typeof roomy; spares?: number; signal?: AbortSignal; env?: NodeJS.ProcessEnv } = {},
) {
  const { file, input } = await definitionOf(analyze);
  const children = createWarmChildren({ main, spares, definitions: [file], env: { ...process.env, ...env } });
  onTestFinished(() => children[Symbol.asyncDispose]());
  const folder = await tempFolder();
  const { digest } = await importDefinition(file);
  const child = children.take();
  const order = {
    definitionFile: file,
    definitionDigest: digest,
    date: "2026-01-01",
    files: [{ uri: "file:///in", path: input }],
    folder,
    stamp: "run=1",
  };
  const result = supervise(child, order, limits, "the analysis of sales 2026-01-01", signal);
  return { result, pid: child.process.pid ?? 0, folder };
}

describe("a calculation in a child", () => {
  it("gives a stamped result, by a spare and by a fresh child alike", async () => {
    for (const spares of [0, 1]) {
      const { result, pid, folder } = await calculating(sum, { spares });
      const { calculation, peakMemoryBytes, sizeBytes } = await result;
      expect(calculation).toMatchObject({ rows: 2, rowsRead: 2 });
      expect(peakMemoryBytes).toBeGreaterThan(20 * 2 ** 20);
      expect(sizeBytes).toBeGreaterThan(100);
      expect(await readdir(folder)).toEqual(["result.parquet"]);
      expect(isAlive(pid)).toBe(false);
    }
  });

  it.each([
    ["panics", panic, roomy, Crashed],
    ["throws", `() => { throw new Error("no luck"); }`, roomy, Crashed],
    [
      "throws when nobody waits",
      `(rows) => { setTimeout(() => { throw new Error("late"); }); return ${"rows"}; }`,
      roomy,
      Crashed,
    ],
    ["ends its process", `() => process.exit(3)`, roomy, Crashed],
    ["needs too much memory", heavy, { ...roomy, memoryBytes: 400 * 2 ** 20 }, OutOfMemory],
    ["takes too long", heavy, { ...roomy, timeLimitMs: 700 }, TimedOut],
    ["never ends", "() => { for (;;); }", { ...roomy, timeLimitMs: 1_000 }, TimedOut],
  ])("that %s fails by its code in one sentence, and the child is gone", async (_, analyze, limits, failure) => {
    const { result, pid } = await calculating(analyze, { limits });
    const error = await result.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(failure);
    expect(String(error)).not.toContain("\n");
    expect(isAlive(pid)).toBe(false);
  });

  it.each([heavy, "() => { for (;;); }"])("stops at once when it is told to: %#", async (analyze) => {
    const stopping = new AbortController();
    const { result, pid } = await calculating(analyze, { signal: stopping.signal });
    const ended = result.catch((thrown: unknown) => thrown);
    await sleep(600);
    expect(isAlive(pid)).toBe(true);
    const stoppedAt = performance.now();
    stopping.abort(new Error("stopped"));
    expect(await ended).toMatchObject({ message: "stopped" });
    expect(performance.now() - stoppedAt).toBeLessThan(1_000);
    expect(isAlive(pid)).toBe(false);
  });

  it.each([heavy, "() => { for (;;); }"])("ends with a parent that is killed: %#", async (analyze) => {
    const { file, input } = await definitionOf(analyze);
    const folder = await tempFolder();
    const owner = spawn(process.execPath, [parent, main, file, input, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(owner.stdout, "data")) as [Buffer];
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);
    owner.kill("SIGKILL");
    const deadline = Date.now() + 3_000;
    while (isAlive(pid) && Date.now() < deadline) await sleep(50);
    expect(isAlive(pid)).toBe(false);
  });

  it("sees nothing of the parent's secrets and engine settings", async () => {
    const leak = `(rows) => {
      const seen = Object.keys(process.env).filter((name) => /SECRET|POLARS_/.test(name)).sort();
      throw new Error(seen.join());
    }`;
    const { result } = await calculating(leak, {
      env: { MY_SECRET: "x", POLARS_MEMORY_PREFETCH: "none", POLARS_VERBOSE: "1" },
    });
    await expect(result).rejects.toThrow("threw: POLARS_AUTO_STREAMING,POLARS_MAX_THREADS");
  });

  it("refuses a definition that is not the one its parent knows", async () => {
    const { file, input } = await definitionOf(sum);
    const children = createWarmChildren({ main, spares: 0, definitions: [], env: process.env });
    onTestFinished(() => children[Symbol.asyncDispose]());
    const order = {
      definitionFile: file,
      definitionDigest: "0".repeat(64),
      date: "2026-01-01",
      files: [{ uri: "x", path: input }],
      folder: await tempFolder(),
      stamp: "",
    };
    await expect(supervise(children.take(), order, roomy, "it")).rejects.toThrow(
      /was changed since the service started/,
    );
  });

  it("hands on what the calculation found wrong with the input", async () => {
    const { file } = await definitionOf(sum);
    const children = createWarmChildren({ main, spares: 0, definitions: [], env: process.env });
    onTestFinished(() => children[Symbol.asyncDispose]());
    const input = join(await tempFolder(), "in.csv");
    await writeFile(input, "k,v\n,1\n");
    const { digest } = await importDefinition(file);
    const order = {
      definitionFile: file,
      definitionDigest: digest,
      date: "2026-01-01",
      files: [{ uri: "file:///in", path: input }],
      folder: await tempFolder(),
      stamp: "",
    };
    await expect(supervise(children.take(), order, roomy, "it")).rejects.toThrow(InputInvalid);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
