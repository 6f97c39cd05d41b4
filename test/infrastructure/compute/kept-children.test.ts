import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { InputInvalid } from "../../../src/domain/model/failure.ts";
import { createKeptChildren } from "../../../src/infrastructure/compute/kept-children.ts";
import { supervise } from "../../../src/infrastructure/compute/supervise-child.ts";
import {
  createWarmChildren,
  type SparedChildren,
  type WarmChildren,
} from "../../../src/infrastructure/compute/warm-children.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** Answers each order: with a failure where the date says so. */
const answers = `
  process.on("message", ({ date }) => process.send(date === "bad"
    ? { kind: "failed", code: "input-invalid", message: "bad", details: {} }
    : { kind: "done", result: { calculation: { rows: 1 }, resultPath: "", sizeBytes: 1, sha256: "" } }));
  process.send({ kind: "ready" });`;
const limits = { memoryBytes: 2 ** 40, timeLimitMs: 60_000 };

async function createForks(spares: number): Promise<SparedChildren> {
  const main = join(await tempFolder(), "child.mjs");
  await writeFile(main, answers);
  const forks = createWarmChildren({ main, spares, definitions: ["a.ts"], env: process.env });
  onTestFinished(() => forks[Symbol.asyncDispose]());
  return forks;
}

function keep(forks: SparedChildren): WarmChildren {
  const kept = createKeptChildren(forks);
  onTestFinished(() => kept[Symbol.asyncDispose]());
  return kept;
}

async function keptChildren(): Promise<WarmChildren> {
  return keep(await createForks(0));
}

const isSpare = (child: ChildProcess) => child.spawnargs.includes("a.ts");

async function calculate(children: WarmChildren, date = "good", definition = "a.ts", within = limits) {
  const child = children.take(undefined, definition);
  const order = { definitionFile: definition, definitionDigest: "", date, files: [], folder: "", stamp: "" };
  await supervise(child, order, within, `the analysis of ${date}`);
  return child.process;
}

it("a child that has answered takes the next order of the same definition, without listeners of the last one", async () => {
  const children = await keptChildren();
  const first = await calculate(children);
  const listeners = ["message", "exit", "error"].map((name) => first.listenerCount(name));
  for (let order = 0; order < 20; order += 1) expect((await calculate(children)).pid).toBe(first.pid);
  expect(["message", "exit", "error"].map((name) => first.listenerCount(name))).toEqual(listeners);
  expect((await calculate(children, "good", "b.ts")).pid).not.toBe(first.pid);
});

it("two at a time are two children", async () => {
  const children = await keptChildren();
  const [one, other] = await Promise.all([calculate(children), calculate(children)]);
  expect(one.pid).not.toBe(other.pid);
});

it("the first ones were forked ahead, and others take their place a while later", async () => {
  const forks = await createForks(2);
  const children = keep(forks);
  const [one, other, third] = await Promise.all([calculate(children), calculate(children), calculate(children)]);
  expect([one, other, third].map(isSpare).toSorted()).toEqual([false, true, true]);
  expect(isSpare(forks.take().process)).toBe(false);
  await sleep(2_500);
  expect(isSpare(forks.take().process)).toBe(true);
});

it("a child that failed, or has grown, is not kept", async () => {
  const children = await keptChildren();
  const first = await calculate(children);
  await expect(calculate(children, "bad")).rejects.toThrow(InputInvalid);
  expect(first.signalCode).toBe("SIGKILL");
  const second = await calculate(children);
  expect(second.pid).not.toBe(first.pid);
  await calculate(children, "good", "a.ts", { ...limits, memoryBytes: 1 }).catch(() => undefined);
  expect(second.signalCode).toBe("SIGKILL");
});

it("an idle child ends after a while, and one that has ended by itself is not given an order", async () => {
  const children = await keptChildren();
  const first = await calculate(children);
  await once(first, "exit");
  const second = await calculate(children);
  expect(second.pid).not.toBe(first.pid);
  second.kill("SIGKILL");
  await once(second, "exit");
  expect((await calculate(children)).pid).not.toBe(second.pid);
});
