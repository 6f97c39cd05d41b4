import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createService, type Service } from "../support/service.ts";

let service: Service;
let disk: string;
beforeEach(async () => {
  service = await createService({ DATASETS: "" });
  disk = join(service.folder, "disk");
  await mkdir(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
});
afterEach(async () => {
  execFileSync("umount", [disk]);
  await service[Symbol.asyncDispose]();
});

const manifestOf = async () => JSON.parse(await readFile(join(disk, "flights/2013-02-08/manifest.json"), "utf8"));

it("a full disk is told in one sentence, what was published stays, and room is all it takes to go on", async () => {
  const env = { STORE_URL: `file:${disk}` };
  const run = (...args: string[]) => service.run("cli", ["run", "flights", "2013-02-08", ...args], env);
  expect(await run()).toMatchObject({ status: 0 });
  const before = await manifestOf();
  const result = await readFile(join(disk, before.result.key));

  const filler = join(disk, "filler");
  try {
    execFileSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=512", "count=4096"], { stdio: "ignore" });
  } catch {
    // It ends where the disk does.
  }
  const { status, err, out } = await run("--mode", "force");
  expect([status, out]).toEqual([22, ""]);
  expect(err).toMatch(
    /^store-unavailable: the store .*\/disk must be a folder that can be written: the disk is full\n$/,
  );
  expect(await manifestOf()).toEqual(before);
  expect((await readFile(join(disk, before.result.key))).equals(result)).toBe(true);

  await rm(filler);
  expect((await service.run("cli", ["show", "flights", "2013-02-08"], env)).status).toBe(0);
  expect(await run("--mode", "force")).toMatchObject({ status: 0 });
  expect(await manifestOf()).toMatchObject({ previous: before.key });
});

it("a read-only disk is told in one sentence", async () => {
  await writeFile(join(disk, "something"), "");
  execFileSync("mount", ["-o", "remount,ro", disk]);
  const { status, err } = await service.run("cli", ["run", "flights", "2013-02-08"], { STORE_URL: `file:${disk}` });
  expect(status).toBe(22);
  expect(err).toMatch(
    /^store-unavailable: the store .* must be a folder that can be written: the file system is read-only\n$/,
  );
});
