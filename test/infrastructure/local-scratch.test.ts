import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, readdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createLocalScratch } from "../../src/infrastructure/local-scratch.ts";
import { scratchName } from "../../src/infrastructure/scratch-name.ts";
import { tempFolder } from "../support/temp-folder.ts";

const longAgo = new Date("2026-01-01T00:00:00.000Z");

/** The id of a process that was there and is gone. */
async function deadPid(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  return child.pid ?? 0;
}

async function listed(...folders: readonly string[]) {
  return (await createLocalScratch(folders).list()).map(({ sizeBytes, inUse }) => ({ sizeBytes, inUse }));
}

it("finds files and folders of the service, each once, with all that lies in them, and removes them", async () => {
  const [folder, other] = [await tempFolder(), await tempFolder()];
  const pid = await deadPid();
  await writeFile(join(folder, `polars-analysis-${pid}-local-copy-1b2c`), "12345");
  const calculation = join(folder, `polars-analysis-${pid}-calculation-aB3xYz`);
  await mkdir(join(calculation, "deep"), { recursive: true });
  await writeFile(join(calculation, "input-0"), "123");
  await writeFile(join(calculation, "deep", "x"), "1");
  await writeFile(join(other, `polars-analysis-${pid}-self-test-1`), "1");
  const scratch = createLocalScratch([folder, other, folder, join(folder, "absent")]);
  const found = await scratch.list();
  expect(found.map(({ sizeBytes, inUse }) => [sizeBytes, inUse]).toSorted()).toEqual([
    [1, false],
    [4, false],
    [5, false],
  ]);
  for (const leftover of [...found, ...found]) await leftover.remove();
  expect([...(await readdir(folder)), ...(await readdir(other))]).toEqual([]);
});

it("is blind to what is not its own: a copy of the repository, names that only look alike, other people's files", async () => {
  const folder = await tempFolder();
  const names = ["polars-analysis-service", "polars-analysis-", "polars-analysis-1", "polars-analysis-x-fetch-1"];
  for (const name of [...names, "analysis-1-fetch-1", "polars-analysis-1-fetch-", "xpolars-analysis-1-fetch-1"]) {
    await mkdir(join(folder, name));
  }
  if (process.geteuid?.() === 0) {
    const theirs = join(folder, "polars-analysis-1-fetch-theirs");
    await mkdir(theirs);
    await chown(theirs, 65_534, 65_534);
  }
  expect(await listed(folder)).toEqual([]);
});

it("follows no link out of its folder", async () => {
  const [folder, elsewhere] = [await tempFolder(), await tempFolder()];
  await writeFile(join(elsewhere, "precious"), "precious");
  const name = `polars-analysis-${await deadPid()}-fetch-`;
  await symlink(elsewhere, join(folder, `${name}link`));
  await mkdir(join(folder, `${name}folder`));
  await symlink(elsewhere, join(folder, `${name}folder`, "link"));
  for (const leftover of await createLocalScratch([folder]).list()) await leftover.remove();
  expect(await readdir(folder)).toEqual([]);
  expect(await readdir(elsewhere)).toEqual(["precious"]);
});

it("says that it is in use while its process is alive, this one and any other", async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, `${scratchName("fetch")}mine`), "");
  expect(await listed(folder)).toEqual([{ sizeBytes: 0, inUse: true }]);
  const child = spawn("sleep", ["60"]);
  try {
    const theirs = await tempFolder();
    await writeFile(join(theirs, `polars-analysis-${child.pid}-fetch-x`), "");
    expect(await listed(theirs)).toEqual([{ sizeBytes: 0, inUse: true }]);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await listed(theirs)).toEqual([{ sizeBytes: 0, inUse: false }]);
  } finally {
    child.kill("SIGKILL");
  }
});

it("does not take what is older than this process for its own, as process 1 of a container would", async () => {
  const folder = await tempFolder();
  const path = join(folder, `${scratchName("fetch")}of-another`);
  await writeFile(path, "");
  await utimes(path, longAgo, longAgo);
  expect(await listed(folder)).toEqual([{ sizeBytes: 0, inUse: false }]);
});

it("is as old as the newest of what lies in it", async () => {
  const folder = await tempFolder();
  const calculation = join(folder, `polars-analysis-${await deadPid()}-calculation-x`);
  await mkdir(calculation);
  const newer = new Date("2026-01-02T00:00:00.000Z");
  for (const [name, date] of [
    ["input-0", longAgo],
    ["result.parquet", newer],
  ] as const) {
    await writeFile(join(calculation, name), "");
    await utimes(join(calculation, name), date, date);
  }
  await utimes(calculation, longAgo, longAgo);
  const [found] = await createLocalScratch([folder]).list();
  expect(found?.modifiedAt).toEqual(newer);
});
