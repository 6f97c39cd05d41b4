import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { Crashed, InputInvalid, OutOfMemory, TimedOut } from "../../../src/domain/model/failure.ts";
import { supervise } from "../../../src/infrastructure/compute/supervise-child.ts";
import {
  createWarmChildren,
  type WarmChildren,
  type WarmChildrenOptions,
} from "../../../src/infrastructure/compute/warm-children.ts";
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

const endless = "() => { for (;;); }";
/** Polars 0.54 aborts the process: its own message is all that is known of it. */
const panic = `(rows) => rows
  .withColumn(pl.col("v").cast(pl.Datetime("ms")).alias("t"))
  .groupByDynamic({ indexColumn: "t", every: "0d" })
  .agg(pl.len().alias("k"))`;

/** Children of the test that asks for them. */
function forked(options: Partial<WarmChildrenOptions> = {}): WarmChildren {
  const children = createWarmChildren({ main, spares: 0, definitions: [], env: process.env, ...options });
  onTestFinished(() => children[Symbol.asyncDispose]());
  return children;
}

type Calculating = {
  readonly limits?: typeof roomy;
  readonly children?: WarmChildren;
  readonly signal?: AbortSignal;
  /** The input, where it matters. */
  readonly content?: string | Buffer;
  /** In place of the definition's own. */
  readonly digest?: string;
};

async function calculating(
  analyze: string,
  { limits = roomy, children = forked(), signal, content, digest }: Calculating = {},
) {
  const { file, input } = await definitionOf(analyze);
  if (content !== undefined) await writeFile(input, content);
  const folder = await tempFolder();
  const known = await importDefinition(file);
  const child = children.take();
  const order = {
    definitionFile: file,
    definitionDigest: digest ?? known.digest,
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
    const { file } = await definitionOf(sum);
    for (const spares of [0, 1]) {
      const children = forked({ spares, definitions: [file] });
      const { result, pid, folder } = await calculating(sum, { children });
      const { calculation, peakMemoryBytes, sizeBytes } = await result;
      expect(calculation).toMatchObject({ rows: 2, rowsRead: 2 });
      expect(peakMemoryBytes).toBeGreaterThan(20 * 2 ** 20);
      expect(sizeBytes).toBeGreaterThan(100);
      expect(await readdir(folder)).toEqual(["result.parquet"]);
      expect(isAlive(pid)).toBe(false);
    }
  });

  it.each([
    ["panics", panic, roomy, Crashed, /was ended by SIGABRT: attempt to divide by zero$/],
    ["throws", `() => { throw new Error("no luck"); }`, roomy, Crashed, /analyze of sales threw: no luck$/],
    [
      "throws when nobody waits",
      `(rows) => { setTimeout(() => { throw new Error("too late"); }); return rows; }`,
      roomy,
      Crashed,
      /ended with status 1: Error: too late$/,
    ],
    ["ends its process", "() => process.exit(3)", roomy, Crashed, /the calculation ended with status 3$/],
    [
      "needs too much memory",
      heavy,
      { ...roomy, memoryBytes: 400 * 2 ** 20 },
      OutOfMemory,
      /needs more than its memory limit of 400 MiB, it was at \d+ MiB$/,
    ],
    ["takes too long", heavy, { ...roomy, timeLimitMs: 700 }, TimedOut, /ran past its time limit of 0.7 s$/],
    ["never ends", endless, { ...roomy, timeLimitMs: 1_000 }, TimedOut, /ran past its time limit of 1 s$/],
  ])(
    "that %s fails by its code in one sentence, and the next one succeeds",
    async (_, analyze, limits, failure, sentence) => {
      const children = forked();
      const { result, pid } = await calculating(analyze, { limits, children });
      const error = await result.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(failure);
      expect(String(error)).toMatch(sentence);
      expect(String(error)).not.toContain("\n");
      expect(isAlive(pid)).toBe(false);
      const next = await calculating(sum, { children });
      expect((await next.result).calculation.rows).toBe(2);
    },
  );

  it.each([heavy, endless])("stops at once when it is told to: %#", async (analyze) => {
    const stopping = new AbortController();
    const { result, pid } = await calculating(analyze, { signal: stopping.signal });
    const ended = result.catch((thrown: unknown) => thrown);
    await sleep(600);
    expect(isAlive(pid)).toBe(true);
    const stoppedAt = performance.now();
    stopping.abort(new Error("stopped"));
    expect(await ended).toMatchObject({ message: "stopped" });
    expect(performance.now() - stoppedAt).toBeLessThan(300);
    expect(isAlive(pid)).toBe(false);
  });

  it("does not begin when it was told to stop before", async () => {
    const { result, pid, folder } = await calculating(sum, { signal: AbortSignal.abort(new Error("stopped")) });
    await expect(result).rejects.toThrow("stopped");
    expect(isAlive(pid)).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([heavy, endless])("ends with a parent that is killed: %#", async (analyze) => {
    const { file, input } = await definitionOf(analyze);
    const folder = await tempFolder();
    const owner = spawn(process.execPath, [parent, main, file, input, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(owner.stdout, "data")) as [Buffer];
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);
    owner.kill("SIGKILL");
    const killedAt = performance.now();
    while (isAlive(pid) && performance.now() - killedAt < 10_000) await sleep(10);
    expect(performance.now() - killedAt).toBeLessThan(1_000);
  });

  it("sees nothing of the parent's secrets, and nothing that could change the engine or Node", async () => {
    const leak = `() => {
      const seen = Object.keys(process.env).filter((name) => /SECRET|POLARS|NODE_OPTIONS|^LD_/.test(name)).sort();
      throw new Error(seen.join());
    }`;
    const secret = { MY_SECRET: "x", AWS_SECRET_ACCESS_KEY: "x", LD_PRELOAD: "", NODE_OPTIONS: "--no-warnings" };
    const env = { ...process.env, ...secret, POLARS_MEMORY_PREFETCH: "none", POLARS_VERBOSE: "1" };
    const { result } = await calculating(leak, { children: forked({ env }) });
    await expect(result).rejects.toThrow(
      /threw: POLARS_AUTO_STREAMING,POLARS_CLOUD_MAX_RETRIES,POLARS_CLOUD_RETRY_TIMEOUT_MS,POLARS_MAX_THREADS$/,
    );
  });

  it("refuses a definition that is not the one its parent knows", async () => {
    const { result } = await calculating(sum, { digest: "0".repeat(64) });
    await expect(result).rejects.toThrow(/was changed since the service started/);
  });

  it("hands on what the calculation found wrong with the input", async () => {
    const { result } = await calculating(sum, { content: "k,v\n,1\n" });
    await expect(result).rejects.toThrow(InputInvalid);
    await expect(result).rejects.toThrow(/file:\/\/\/in breaks the contract: k is missing/);
  });

  it("reads a compressed input, and says what is wrong with one that is cut", async () => {
    const content = gzipSync("k,v\na,1\na,2\n");
    expect((await (await calculating(sum, { content })).result).calculation.rowsRead).toBe(2);
    const { result } = await calculating(sum, { content: content.subarray(0, -4) });
    await expect(result).rejects.toThrow(InputInvalid);
    await expect(result).rejects.toThrow(/file:\/\/\/in is not a whole gzip file/);
  });
});

/** An ended process that nobody has waited for yet is none. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
