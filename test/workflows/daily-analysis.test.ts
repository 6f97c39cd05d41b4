import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { WorkflowFailedError } from "@temporalio/client";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { createDailyAnalysisActivities } from "../../activities/daily-analysis-activities.ts";
import { createRunAnalysisActivities } from "../../activities/run-analysis-activities.ts";
import { InputInvalid, UnknownDataset } from "../../src/domain/model/failure.ts";
import { type DatasetId, parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import { readTemporalTarget } from "../../src/infrastructure/temporal/connection.ts";
import { createTemporalRunOrchestrator } from "../../src/infrastructure/temporal/temporal-run-orchestrator.ts";
import { createTemporalScheduleBook } from "../../src/infrastructure/temporal/temporal-schedule-book.ts";
import { installTemporalRuntime, startAnalysisWorker } from "../../src/infrastructure/temporal/worker.ts";
import type { DailyReport } from "../../src/usecase/dto/daily-analysis.ts";
import { createDailyAnalysisInteractor } from "../../src/usecase/interactor/daily-analysis-interactor.ts";
import type { RunAnalysisUseCase } from "../../src/usecase/ports/input/run-analysis-usecase.ts";
import type { DatasetCatalog } from "../../src/usecase/ports/output/dataset-catalog.ts";
import { createFakeRunAnalysis, fakeOutput } from "../support/fake-run-analysis.ts";
import { createServiceWithTemporal, eventually, type ServiceWithTemporal, smallCsv } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000 });

let runtime: AsyncDisposable;
let service: ServiceWithTemporal;

beforeAll(async () => {
  runtime = installTemporalRuntime("error", () => {});
  service = await createServiceWithTemporal(inject("temporalAddress"), { WARM_CHILDREN: "0" });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await runtime[Symbol.asyncDispose]();
});

type Times = { readonly schedule: string; readonly timeZone: string; readonly lagDays?: number };

function catalogOf(times: Readonly<Record<string, Times>>): DatasetCatalog {
  const entryOf = (id: DatasetId) => {
    const definition = times[id];
    if (definition === undefined) throw new UnknownDataset(`there is no dataset ${id}`);
    return { id, digest: "d", file: "/definitions/x.ts", definition: definition as never };
  };
  return { get: entryOf, list: () => Object.keys(times).map((id) => entryOf(parseDatasetId(id))) };
}

/** A worker of this process with real daily runs whose canonical runs do nothing but what is given. */
async function withWorker(
  catalog: DatasetCatalog,
  useCase: RunAnalysisUseCase,
  work: (taskQueue: string) => Promise<void>,
  maxActivities = 4,
): Promise<void> {
  const taskQueue = randomUUID();
  const orchestrator = createTemporalRunOrchestrator(async () => service.client, taskQueue);
  const unused = async () => expect.fail("nothing is looked back at");
  const daily = createDailyAnalysisInteractor({
    catalog,
    orchestrator,
    loader: { inspect: unused },
    repository: { findPublished: unused },
  });
  const worker = await startAnalysisWorker({
    target: readTemporalTarget(service.env),
    taskQueue,
    activities: { ...createRunAnalysisActivities(useCase), ...createDailyAnalysisActivities(daily) },
    maxActivities,
    workflowBundle: join(service.folder, "workflows.js"),
  });
  await work(taskQueue).finally(() => worker.stop());
}

function startDaily(taskQueue: string, request: object = {}) {
  return service.client.workflow.start("dailyAnalysis", { workflowId: randomUUID(), taskQueue, args: [request] });
}

async function failureOf(run: { result(): Promise<unknown> }) {
  const error: WorkflowFailedError = await run.result().then(
    () => expect.fail("the daily run was expected to fail"),
    (thrown) => thrown,
  );
  return error.cause;
}

test("ten days that the server makes up for, while no worker is there, are all published, each once", async () => {
  await service.define("berlin", { schedule: '"0 6 * * *"', timeZone: '"Europe/Berlin"' });
  const days = Array.from({ length: 10 }, (_, index) => {
    return new Date(Date.UTC(2026, 2, 24 + index)).toISOString().slice(0, 10);
  });
  for (const day of days) await service.write(`${day}.csv`, smallCsv);
  expect(await service.run("cli", ["schedules", "apply"])).toMatchObject({ status: 0, err: "" });
  const schedule = service.client.schedule.getHandle("daily/berlin");
  // Over the day of 23 hours.
  const [start, end] = [new Date("2026-03-25T00:00:00Z"), new Date("2026-04-03T12:00:00Z")];
  await schedule.backfill({ start, end, overlap: "ALLOW_ALL" });
  const query = 'WorkflowType = "dailyAnalysis" AND TemporalScheduledById = "daily/berlin"';
  await eventually(async () => (await service.client.workflow.count(query)).count === 10, 30_000);
  expect(await service.stored()).toEqual([]);

  const worker = await service.worker();
  const done = `${query} AND ExecutionStatus = "Completed"`;
  await eventually(async () => (await service.client.workflow.count(done)).count === 10, 90_000);
  const stored = await service.stored();
  for (const day of days) {
    expect(stored.filter((path) => path.startsWith(`berlin/${day}/_manifests/`))).toHaveLength(1);
  }
  expect(stored.filter((path) => path.endsWith("/result.parquet"))).toHaveLength(10);
  const runs = 'WorkflowType = "runAnalysis" AND AnalysisDataset = "berlin"';
  expect((await service.client.workflow.count(runs)).count).toBe(10);

  const { out } = await service.run("cli", ["schedules", "--json"]);
  expect(JSON.parse(out)).toMatchObject([
    { id: "daily/berlin", action: "keep", last: { status: "completed", nominalTime: "2026-04-03T04:00:00.000Z" } },
  ]);
  worker.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ status: 0 });
});

test("the date follows from the nominal time in the dataset's zone, where days have 23 or 25 hours or are not", async () => {
  const zones = {
    "berlin-night": { schedule: "30 2 * * *", timeZone: "Europe/Berlin" },
    "berlin-midnight": { schedule: "0 0 * * *", timeZone: "Europe/Berlin", lagDays: 0 },
    apia: { schedule: "30 6 * * *", timeZone: "Pacific/Apia" },
    kathmandu: { schedule: "0 0 * * *", timeZone: "Asia/Kathmandu" },
  };
  // Of Samoa's missing day only what lies behind it: on the day itself the server repeats one time without end.
  const periods: readonly (readonly [keyof typeof zones, string, string, readonly string[]])[] = [
    ["berlin-night", "2026-03-27", "2026-03-31", ["2026-03-26", "2026-03-27", "2026-03-28", "2026-03-29"]],
    ["berlin-night", "2026-10-24", "2026-10-27", ["2026-10-23", "2026-10-24", "2026-10-25"]],
    ["berlin-midnight", "2026-03-28", "2026-03-31", ["2026-03-29", "2026-03-30", "2026-03-31"]],
    ["apia", "2011-12-30T16:00:00Z", "2011-12-31T20:00:00Z", ["2011-12-29", "2011-12-31"]],
    ["kathmandu", "2025-12-30", "2026-01-01", ["2025-12-30", "2025-12-31"]],
  ];
  const { useCase, calls } = createFakeRunAnalysis();
  await withWorker(catalogOf(zones), useCase, async (taskQueue) => {
    const book = createTemporalScheduleBook(async () => service.client, taskQueue);
    for (const [id, times] of Object.entries(zones)) await book.put({ dataset: parseDatasetId(id), ...times });
    for (const [id, start, end, expected] of periods) {
      const before = calls.length;
      const saved = () =>
        calls.slice(before).flatMap(({ step, input }) => (step === "save" && input.dataset === id ? [input.date] : []));
      await service.client.schedule
        .getHandle(`daily/${id}`)
        .backfill({ start: new Date(start), end: new Date(end), overlap: "ALLOW_ALL" });
      await eventually(() => saved().length >= expected.length, 30_000);
      expect(saved().toSorted()).toEqual(expected);
    }
  });
});

test("daily runs that meet a run under way wait for it, without holding slots that the run needs", async () => {
  const release = Promise.withResolvers<void>();
  const { useCase, steps } = createFakeRunAnalysis({
    save: async (input) => {
      await release.promise;
      return fakeOutput(input);
    },
  });
  const request = { dataset: "met", date: "2026-01-01" };
  const catalog = catalogOf({ met: { schedule: "0 6 * * *", timeZone: "UTC" } });
  const oneBesideTheRun = 2;
  const work = async (taskQueue: string) => {
    const workflowId = "analysis/met/2026-01-01";
    const run = await service.client.workflow.start("runAnalysis", { workflowId, taskQueue, args: [request] });
    await eventually(() => steps().includes("save"));
    const dailies = await Promise.all([1, 2, 3].map(() => startDaily(taskQueue, request)));
    for (const daily of dailies) {
      await eventually(async () =>
        ((await daily.describe()).raw.pendingActivities ?? []).some(
          ({ activityType, attempt }) => activityType?.name === "followRun" && Number(attempt) > 2,
        ),
      );
    }
    release.resolve();
    const dates = [{ date: "2026-01-01", outcome: "published", rows: 2 }];
    for (const daily of dailies) expect(await daily.result()).toEqual({ dataset: "met", dates });
    expect(await run.result()).toMatchObject({ outcome: "published" });
  };
  await withWorker(catalog, useCase, work, oneBesideTheRun);
  expect(steps()).toEqual(["inspect", "load", "analyze", "save"]);
});

test("a daily run whose run was forced anew meanwhile follows the new one", async () => {
  let saves = 0;
  const { useCase, steps } = createFakeRunAnalysis({
    analyze: async (...args) => {
      if (saves === 0) await new Promise((resolve) => setTimeout(resolve, 1_000));
      return createFakeRunAnalysis().useCase.analyze(...args);
    },
    save: async (input) => {
      saves += 1;
      return fakeOutput(input);
    },
  });
  const request = { dataset: "forced", date: "2026-01-01" };
  await withWorker(catalogOf({ forced: { schedule: "0 6 * * *", timeZone: "UTC" } }), useCase, async (taskQueue) => {
    const workflowId = "analysis/forced/2026-01-01";
    const first = await service.client.workflow.start("runAnalysis", { workflowId, taskQueue, args: [request] });
    await eventually(() => steps().includes("analyze"));
    const daily = await startDaily(taskQueue, request);
    await eventually(
      async () => (await daily.describe()).raw.pendingActivities?.[0]?.activityType?.name === "followRun",
    );
    await first.cancel();
    await first.result().catch(() => undefined);
    const second = await service.client.workflow.start("runAnalysis", { workflowId, taskQueue, args: [request] });
    await second.result();
    expect(await daily.result()).toMatchObject({ dates: [{ outcome: "published" }] });
  });
  expect(saves).toBe(1);
});

test("a daily run fails as its run does, and the code is that of the run", async () => {
  const { useCase } = createFakeRunAnalysis({
    inspect: async () => {
      throw new InputInvalid("the file has no header");
    },
  });
  await withWorker(catalogOf({ bad: { schedule: "0 6 * * *", timeZone: "UTC" } }), useCase, async (taskQueue) => {
    const dates = [{ date: "2026-01-01", outcome: "failed", code: "input-invalid", message: "the file has no header" }];
    expect(await failureOf(await startDaily(taskQueue, { dataset: "bad", date: "2026-01-01" }))).toMatchObject({
      type: "input-invalid",
      message: "the file has no header",
      details: [{ dataset: "bad", dates }],
    });
    expect(await failureOf(await startDaily(taskQueue, { dataset: "absent" }))).toMatchObject({
      type: "unknown-dataset",
    });
    expect(await failureOf(await startDaily(taskQueue))).toMatchObject({ type: "bad-request" });
    const wrong = await startDaily(taskQueue, { dataset: "bad", date: "2026-02-30" });
    expect(await failureOf(wrong)).toMatchObject({ type: "bad-request", message: /2026-02-30/ });
  });
});

test("a cancel of the daily run cancels the run that it has started; terminated, it leaves that alone", async () => {
  const { useCase, steps } = createFakeRunAnalysis({
    save: (_input, _analyzed, { signal } = {}) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  });
  await withWorker(catalogOf({ slow: { schedule: "0 6 * * *", timeZone: "UTC" } }), useCase, async (taskQueue) => {
    const statusOf = async (date: string) =>
      (await service.client.workflow.getHandle(`analysis/slow/${date}`).describe()).status.name;
    const canceled = await startDaily(taskQueue, { dataset: "slow", date: "2026-01-01" });
    await eventually(() => steps().length === 4);
    await canceled.cancel();
    expect(await failureOf(canceled)).toMatchObject({ name: "CancelledFailure" });
    expect(await statusOf("2026-01-01")).toBe("CANCELLED");
    const terminated = await startDaily(taskQueue, { dataset: "slow", date: "2026-01-02" });
    await eventually(() => steps().length === 8);
    await terminated.terminate();
    expect(await statusOf("2026-01-02")).toBe("RUNNING");
    const run = service.client.workflow.getHandle("analysis/slow/2026-01-02");
    await run.cancel();
    await run.result().catch(() => undefined);
  });
});

test("late data: only a published date whose input has changed is restated, whatever else there is", async () => {
  const fields = { schedule: '"0 6 * * *"', lateDays: "5" };
  await service.define("late", fields);
  await service.define("stale", fields);
  const day = (number: number) => `2026-06-0${number}`;
  const run = async (dataset: string, number: number) =>
    expect(await service.run("cli", ["run", dataset, day(number)])).toMatchObject({ status: 0 });
  for (const number of [1, 2, 3, 4, 5, 6]) await service.write(`${day(number)}.csv`, smallCsv);
  for (const number of [1, 2, 3, 4]) await run("late", number);
  await run("stale", 5);
  await service.write(`${day(2)}.csv`, `${smallCsv}c,9\n`);
  await service.write(`${day(4)}.csv`, "category,value\nb,not a number\n");
  await service.write(`${day(5)}.csv`, `${smallCsv}c,9\n`);
  await service.define("stale", { ...fields, title: '"Another title"' });
  const worker = await service.worker();
  const daily = async (dataset: string): Promise<DailyReport> => {
    const started = await service.client.workflow.start("dailyAnalysis", {
      workflowId: randomUUID(),
      taskQueue: "analysis",
      args: [{ dataset, date: day(6) }],
    });
    return started.result();
  };
  expect(await daily("late")).toEqual({
    dataset: "late",
    dates: [
      { date: day(6), outcome: "published", rows: 2 },
      { date: day(5), outcome: "missing" },
      { date: day(4), outcome: "failed", code: "input-invalid", message: expect.stringContaining("value") },
      { date: day(3), outcome: "unchanged" },
      { date: day(2), outcome: "published", rows: 3 },
      { date: day(1), outcome: "unchanged" },
    ],
  });
  const restated = (await service.stored()).filter((path) => path.startsWith("late/") && path.includes("/_manifests/"));
  expect(restated.map((path) => path.split("/")[1])).toEqual([1, 2, 2, 3, 4, 6].map(day));
  expect((await daily("stale")).dates.slice(0, 2)).toEqual([
    { date: day(6), outcome: "published", rows: 2 },
    { date: day(5), outcome: "definition-changed" },
  ]);
  worker.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ status: 0 });
});
