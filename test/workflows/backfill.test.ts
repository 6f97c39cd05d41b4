import { setTimeout as sleep } from "node:timers/promises";
import type { WorkflowHandle } from "@temporalio/client";
import { expect, inject, test, vi } from "vitest";
import { addDays } from "../../src/domain/value-object/date-range.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import type { BackfillProgress, BackfillReport } from "../../src/usecase/dto/backfill.ts";
import {
  createServiceWithTemporal,
  eventually,
  manyRowsCsv,
  type ServiceWithTemporal,
  slowFields,
  smallCsv,
} from "../support/service.ts";

vi.setConfig({ testTimeout: 240_000 });

const first = parseTargetDate("2026-01-01");
const last = addDays(first, 29);

async function writeDays(service: ServiceWithTemporal, days: number, content = smallCsv): Promise<void> {
  for (let day = 0; day < days; day += 1) await service.write(`${addDays(first, day)}.csv`, content);
}

async function createWorld(settings: NodeJS.ProcessEnv = {}): Promise<ServiceWithTemporal> {
  const service = await createServiceWithTemporal(inject("temporalAddress"), { WARM_CHILDREN: "1", ...settings });
  await service.define("totals");
  return service;
}

function start(service: ServiceWithTemporal, request: object = {}): Promise<WorkflowHandle> {
  return service.client.workflow.start("backfill", {
    workflowId: "backfill/totals",
    taskQueue: "analysis",
    args: [{ dataset: "totals", from: first, to: last, ...request }],
  });
}

const progressOf = (run: WorkflowHandle): Promise<BackfillProgress> => run.query("progress");

async function manifestsOf(service: ServiceWithTemporal): Promise<readonly string[]> {
  return (await service.stored()).filter((path) => path.includes("/_manifests/"));
}

async function runsOf(service: ServiceWithTemporal, query = 'WorkflowType = "runAnalysis"'): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of service.client.workflow.list({ query })) ids.push(workflowId);
  return ids.toSorted();
}

/** Every day takes so long that a test can act in the middle: a calculation of about half a second on one core. */
const slow = { ...slowFields };
const slowCsv = manyRowsCsv(2_500);

test("thirty dates are published, each once; the same again runs nothing; a second one at a time is refused", async () => {
  await using service = await createWorld();
  await writeDays(service, 30);
  const worker = await service.worker();
  const started = await service.run("cli", ["backfill", "totals", first, last, "--window", "4", "--json"]);
  expect(started).toMatchObject({ status: 0 });
  const report: BackfillReport = JSON.parse(started.out);
  expect(report).toMatchObject({ state: "completed", total: 30, done: 30, failures: [] });
  expect(report.counts).toMatchObject({ published: 30, failed: 0 });
  expect(await manifestsOf(service)).toHaveLength(30);
  expect(await service.json(`totals/${last}/manifest.json`)).toMatchObject({
    runId: expect.stringMatching(/_20260130$/),
  });
  // No date needed a run of its own.
  expect(await runsOf(service)).toEqual([]);

  const stored = await service.stored();
  const again = await service.run("cli", ["backfill", "totals", first, last]);
  expect(again.out).toBe(`totals ${first} to ${last} completed: 30 of 30 dates\n30 unchanged\n`);
  expect(await service.stored()).toEqual(stored);

  worker.kill("SIGTERM");
  await worker.ended;
  const run = await start(service);
  const second = await service.run("cli", ["backfill", "totals", first, last]);
  expect(second).toMatchObject({ status: 2, out: "" });
  expect(second.err).toBe(
    "bad-request: a backfill of totals is running already: wait for its end, or end it with `cancel totals`\n",
  );
  await run.terminate();
});

test("pause holds, resume goes on, the window can be changed, and cancel leaves nothing running", async () => {
  await using service = await createWorld();
  await service.define("totals", slow);
  await writeDays(service, 30, slowCsv);
  await service.worker();
  const run = await start(service, { window: 2 });
  await eventually(async () => (await progressOf(run)).done > 0, 60_000);
  expect(await service.run("cli", ["backfill", "pause", "totals"])).toMatchObject({ status: 0, err: "" });
  await eventually(async () => (await service.calculations()).length <= 1, 20_000);
  await eventually(async () => ((await run.describe()).raw.pendingActivities ?? []).length === 0, 20_000);
  const held = await progressOf(run);
  expect(held).toMatchObject({ state: "paused", window: 2 });
  await sleep(1_500);
  expect(await progressOf(run)).toEqual(held);

  expect(await service.run("cli", ["backfill", "window", "totals", "3"])).toMatchObject({ status: 0, err: "" });
  expect(await service.run("cli", ["backfill", "resume", "totals"])).toMatchObject({ status: 0, err: "" });
  await eventually(async () => (await progressOf(run)).done > held.done, 60_000);
  const status = await service.run("cli", ["backfill", "status", "totals", "--json"]);
  expect(JSON.parse(status.out)).toMatchObject({ state: "running", window: 3, total: 30 });

  const canceled = await service.run("cli", ["cancel", "totals", "--json"]);
  expect(JSON.parse(canceled.out)).toEqual({ workflowId: "backfill/totals", wasRunning: true });
  expect((await run.describe()).status.name).toBe("CANCELLED");
  expect(await progressOf(run)).toMatchObject({ state: "canceled" });
  const published = await manifestsOf(service);
  await sleep(1_500);
  expect(await manifestsOf(service)).toEqual(published);
  expect(published.length).toBeLessThan(30);
  // The spare that waits is all that is left of the calculations.
  await eventually(async () => (await service.calculations()).length <= 1);
  const again = await service.run("cli", ["cancel", "totals"]);
  expect(again.out).toBe("backfill/totals was not running\n");
  const none = await service.run("cli", ["backfill", "pause", "totals"]);
  expect(none).toMatchObject({ status: 2, err: "bad-request: no backfill of totals is running\n" });
});

test("a date whose own run is under way is waited for, and runs once, and a daily run gets through", async () => {
  await using service = await createWorld();
  await service.define("daily");
  await service.define("totals", slow);
  await writeDays(service, 8, slowCsv);
  // Its own run takes long enough to be met.
  await service.write(`${first}.csv`, manyRowsCsv(9_000));
  await service.write("2026-03-01.csv", smallCsv);
  await service.worker();
  const own = await service.client.workflow.start("runAnalysis", {
    workflowId: `analysis/totals/${first}`,
    taskQueue: "analysis",
    args: [{ dataset: "totals", date: first }],
  });
  await eventually(async () => (await service.calculations()).length > 0);
  const run = await start(service, { to: addDays(first, 7) });
  await eventually(async () => (await progressOf(run)).done > 0, 60_000);
  const submitted = performance.now();
  const daily = await service.client.workflow.start("runAnalysis", {
    workflowId: "analysis/daily/2026-03-01",
    taskQueue: "analysis",
    args: [{ dataset: "daily", date: "2026-03-01" }],
  });
  expect(await daily.result()).toMatchObject({ outcome: "published" });
  process.stdout.write(`a daily run during a backfill took ${Math.round(performance.now() - submitted)} ms\n`);
  const report: BackfillReport = await run.result();
  expect(report).toMatchObject({ state: "completed", done: 8, counts: { published: 8 } });
  const [manifest, ...more] = (await manifestsOf(service)).filter((path) => path.includes(first));
  expect(more).toEqual([]);
  expect(manifest).toContain(own.firstExecutionRunId);
  expect(await runsOf(service)).toEqual(["analysis/daily/2026-03-01", `analysis/totals/${first}`]);
});

test("a date that fails gets a run of its own, which says why; one without input is no failure", async () => {
  await using service = await createWorld();
  await writeDays(service, 4);
  await service.write(`${addDays(first, 1)}.csv`, "category,value\na,many\n");
  await service.worker();
  const to = addDays(first, 5);
  const { status, out, err } = await service.run("cli", ["backfill", "totals", first, to]);
  expect(out).toContain(`totals ${first} to ${to} completed: 6 of 6 dates\n3 published, 2 no-input, 1 failed\n`);
  expect(err).toMatch(/input-invalid: totals 2026-01-02 failed: /);
  expect(status).toBe(12);
  expect(await runsOf(service)).toEqual(["analysis/totals/2026-01-02"]);
  const staged = (await service.stored()).filter((path) => path.startsWith("_staging/"));
  expect(staged).toEqual([]);
});

test("large days run as runs of their own", async () => {
  await using service = await createWorld();
  await service.define("totals", { largeBytes: "40" });
  await writeDays(service, 6);
  await service.write(`${addDays(first, 2)}.csv`, manyRowsCsv(100));
  await service.worker();
  const run = await start(service, { to: addDays(first, 5) });
  expect(await run.result()).toMatchObject({ done: 6, counts: { published: 6 } });
  expect(await runsOf(service)).toEqual(["analysis/totals/2026-01-03"]);
});

test("a backfill by a plan runs while the plan holds, and refuses when the world has moved", async () => {
  await using service = await createWorld();
  await writeDays(service, 5);
  await service.worker();
  const to = addDays(first, 5);
  const plan = async () => JSON.parse((await service.run("cli", ["plan", "totals", first, to, "--json"])).out);
  const { hash, counts, bytesToRead } = await plan();
  expect(counts).toMatchObject({ missing: 5, "no-input": 1, unchanged: 0 });
  expect(bytesToRead).toBe(5 * smallCsv.length);
  expect((await plan()).hash).toBe(hash);
  await service.write(`${first}.csv`, `${smallCsv}c,1\n`);
  const refused = await service.run("cli", ["backfill", "totals", first, to, "--plan", hash]);
  expect(refused.status).toBe(2);
  expect(refused.err).toMatch(/^bad-request: the plan [0-9a-f]{12} of totals .* plan again\n$/);
  // Asked by Temporal's own command, too.
  const run = await start(service, { to, planHash: hash });
  await expect(run.result()).rejects.toMatchObject({ cause: { type: "bad-request" } });
  const now = (await plan()).hash;
  const accepted = await service.run("cli", ["backfill", "totals", first, to, "--plan", now, "--json"]);
  expect(JSON.parse(accepted.out)).toMatchObject({ counts: { published: 5, "no-input": 1 } });
  expect(await plan()).toMatchObject({ runs: 0, counts: { unchanged: 5, "no-input": 1 }, bytesToRead: 0 });
});

test("a worker that is killed in the middle loses nothing, and no date runs twice", async () => {
  await using service = await createWorld({ HEARTBEAT_TIMEOUT_SECONDS: "2" });
  await service.define("totals", slow);
  await writeDays(service, 16, slowCsv);
  let worker = await service.worker();
  const run = await start(service, { to: addDays(first, 15), window: 2 });
  for (const least of [2, 6]) {
    await eventually(async () => (await manifestsOf(service)).length > least, 60_000);
    worker.kill("SIGKILL");
    await worker.ended;
    worker = await service.worker();
  }
  const report: BackfillReport = await run.result();
  expect(report).toMatchObject({ done: 16, counts: { published: 16, failed: 0 } });
  expect(await manifestsOf(service)).toHaveLength(16);
});

test("what is malformed is refused in one sentence", async () => {
  await using service = await createWorld();
  await service.worker();
  const faults = [
    [{ from: "2026-02-01", to: "2026-01-01" }, /begins with its earlier date/],
    [{ from: undefined, to: undefined }, /needs a first and a last date/],
    [{ from: "1950-01-01" }, /at most 20 years/],
    [{ window: 0 }, /window must be a number of dates from 1 to 50, got 0/],
    [{ planHash: "abc" }, /hash of a plan has 64 hex digits/],
  ] as const;
  for (const [request, message] of faults) {
    const run = await start(service, request);
    await expect(run.result()).rejects.toMatchObject({
      cause: { type: "bad-request", message: expect.stringMatching(message) },
    });
  }
  const strayed = await service.client.workflow.start("backfill", {
    workflowId: "my-own-id",
    taskQueue: "analysis",
    args: [{ dataset: "totals", from: first, to: last }],
  });
  await expect(strayed.result()).rejects.toMatchObject({
    cause: { type: "bad-request", message: "a backfill of totals has the workflow id backfill/totals, got my-own-id" },
  });
});
