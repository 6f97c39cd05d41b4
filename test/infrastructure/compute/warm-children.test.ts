import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { Crashed } from "../../../src/domain/model/failure.ts";
import { childEnvironment } from "../../../src/infrastructure/compute/child-environment.ts";
import {
  createWarmChildren,
  timeWarmUp,
  type WarmChild,
  type WarmChildren,
} from "../../../src/infrastructure/compute/warm-children.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** Children that leave their id, say that they are ready, and wait. */
const waits = `
  import { writeFileSync } from "node:fs";
  writeFileSync(import.meta.filename + "." + process.pid, "");
  process.send({ kind: "ready" });
  setInterval(() => {}, 1_000);`;

async function children(spares: number, program = waits, folder = tempFolder()) {
  const main = join(await folder, "child.mjs");
  await writeFile(main, program);
  const forked = createWarmChildren({ main, spares, definitions: ["definition.ts"], env: process.env });
  onTestFinished(() => forked[Symbol.asyncDispose]());
  return forked;
}

const isSpare = ({ process: { spawnargs } }: WarmChild) => spawnargs.includes("definition.ts");
const end = async ({ process: child }: WarmChild) => {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};
/** The next child, as soon as it is one that was forked ahead. */
async function nextSpare(forked: WarmChildren): Promise<WarmChild> {
  for (;;) {
    const child = forked.take();
    if (isSpare(child)) return child;
    await end(child);
    await sleep(20);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("children that are forked ahead", () => {
  it("serve once, and are replaced when they have ended", async () => {
    const forked = await children(1);
    const first = forked.take();
    expect(isSpare(first)).toBe(true);
    expect(isSpare(forked.take())).toBe(false);
    await end(first);
    expect((await nextSpare(forked)).process.pid).not.toBe(first.process.pid);
  });

  it("are replaced when they were killed while they waited", async () => {
    const folder = await tempFolder();
    const forked = await children(1, waits, Promise.resolve(folder));
    const ids = async () => (await readdir(folder)).flatMap((name) => name.split(".mjs.").slice(1).map(Number));
    while ((await ids()).length === 0) await sleep(20);
    const [waiting = 0] = await ids();
    process.kill(waiting, "SIGKILL");
    while (isAlive(waiting)) await sleep(20);
    expect((await nextSpare(forked)).process.pid).not.toBe(waiting);
  });

  it("are not taken for another number of cores, nor where none are kept", async () => {
    const forked = await children(1);
    expect(isSpare(forked.take(3))).toBe(false);
    expect(isSpare(forked.take())).toBe(true);
    expect(isSpare((await children(0)).take())).toBe(false);
  });

  it("all end with their owner, those that were taken too", async () => {
    const forked = await children(2);
    const taken = [forked.take(), forked.take(), forked.take(3)];
    await forked[Symbol.asyncDispose]();
    expect(taken.map((child) => child.process.signalCode)).toEqual(["SIGKILL", "SIGKILL", "SIGKILL"]);
    await forked[Symbol.asyncDispose]();
  });

  it("tell how long they take to get warm, or why they never do", async () => {
    expect(await timeWarmUp((await children(1)).take())).toBeGreaterThan(0);
    const broken = (await children(0, 'throw new Error("no engine");')).take();
    const warming = timeWarmUp(broken);
    await expect(warming).rejects.toThrow(Crashed);
    await expect(warming).rejects.toThrow(/^the engine cannot be started: Error: no engine$/);
  });
});

describe("the environment of a child", () => {
  it("has what Node needs, the settings of the engine, and nothing else of its parent's", () => {
    const parent = { PATH: "/bin", HOME: "/home", TZ: "UTC", TOKEN: "x", POLARS_MAX_THREADS: "99", NODE_OPTIONS: "-x" };
    const { MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_, MALLOC_TOP_PAD_, ...others } = childEnvironment(parent, 3);
    expect(others).toEqual({
      PATH: "/bin",
      HOME: "/dev/null/home",
      TZ: "UTC",
      POLARS_CLOUD_MAX_RETRIES: "4",
      POLARS_CLOUD_RETRY_TIMEOUT_MS: "30000",
      POLARS_MAX_THREADS: "3",
      POLARS_AUTO_STREAMING: "1",
    });
    expect(childEnvironment({}, undefined)["POLARS_MAX_THREADS"]).toBe(String(availableParallelism()));
  });
});
