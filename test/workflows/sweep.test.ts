import { randomUUID } from "node:crypto";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { WorkflowHandle } from "@temporalio/client";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { createSweepActivities } from "../../activities/sweep-activities.ts";
import { BadRequest, StoreUnavailable } from "../../src/domain/model/failure.ts";
import { parseRunId } from "../../src/domain/value-object/run-id.ts";
import { readTemporalTarget, type TemporalTarget } from "../../src/infrastructure/temporal/connection.ts";
import { createTemporalRunOrchestrator } from "../../src/infrastructure/temporal/temporal-run-orchestrator.ts";
import { installTemporalRuntime, startAnalysisWorker } from "../../src/infrastructure/temporal/worker.ts";
import type { SweepReport } from "../../src/usecase/dto/sweep-report.ts";
import type { SweepRequest } from "../../src/usecase/dto/sweep-request.ts";
import type { SweepUseCase } from "../../src/usecase/ports/input/sweep-usecase.ts";
import { createServiceWithTemporal, eventually, type ServiceWithTemporal } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000 });

let runtime: AsyncDisposable;
let service: ServiceWithTemporal;
let target: TemporalTarget;

beforeAll(async () => {
  runtime = installTemporalRuntime("error", () => {});
  service = await createServiceWithTemporal(inject("temporalAddress"), { WARM_CHILDREN: "0" });
  await service.define("totals");
  target = readTemporalTarget(service.env);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await runtime[Symbol.asyncDispose]();
});

/** What a run staged some days ago. */
async function stage(runId: string, days = 30): Promise<string> {
  const key = `_staging/${runId}/token/result.parquet`;
  await plant(join(service.store, key), days);
  return key;
}

async function plant(path: string, days: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "12345");
  const then = new Date(Date.now() - days * 86_400_000);
  await utimes(path, then, then);
}

/** A run that no worker takes up. */
async function startRun(date: string): Promise<WorkflowHandle & { readonly firstExecutionRunId: string }> {
  return service.client.workflow.start("runAnalysis", {
    workflowId: `analysis/totals/${date}`,
    taskQueue: "nobody",
    args: [{ dataset: "totals", date }],
  });
}

const isListed = (runId: string, status: string) => async () => {
  const query = `RunId = "${runId}" AND ExecutionStatus = "${status}"`;
  return (await service.client.workflow.count(query)).count === 1;
};

test("what a live run has staged is kept however old, and removed when the run has ended", async () => {
  const run = await startRun("2026-01-01");
  const [lives, died] = [await stage(run.firstExecutionRunId), await stage(randomUUID())];
  await eventually(isListed(run.firstExecutionRunId, "Running"));
  const sweep = async (...args: string[]) => JSON.parse((await service.run("cli", ["sweep", "--json", ...args])).out);
  const one = { count: 1, sizeBytes: 5 };
  expect(await sweep("--dry-run")).toMatchObject({ staged: { removed: one, live: one } });
  expect(await service.stored()).toEqual([lives, died].toSorted());
  expect(await sweep("--older-than", "0")).toMatchObject({ staged: { removed: one, live: one } });
  expect(await service.stored()).toEqual([lives]);
  await run.terminate();
  await eventually(isListed(run.firstExecutionRunId, "Terminated"));
  expect(await sweep()).toMatchObject({ staged: { removed: one, live: { count: 0 } } });
  expect(await service.stored()).toEqual([]);
});

test("live runs are found among many, and neither one that has ended nor an id of no workflow is among them", async () => {
  const idOf = (run: { readonly firstExecutionRunId: string }) => parseRunId(run.firstExecutionRunId);
  const early = idOf(await startRun("2026-02-01"));
  const run = await startRun("2026-02-02");
  await run.terminate();
  const [ended, late] = [idOf(run), idOf(await startRun("2026-02-03"))];
  await eventually(isListed(ended, "Terminated"));
  await eventually(isListed(late, "Running"));
  const others = Array.from({ length: 120 }, () => parseRunId(randomUUID()));
  const asked = [early, ...others.slice(0, 70), ended, parseRunId("self-test-1"), ...others.slice(70), late];
  const orchestrator = createTemporalRunOrchestrator(async () => service.client, "analysis");
  expect([...(await orchestrator.liveRuns(asked))].toSorted()).toEqual([early, late].toSorted());
  expect(await orchestrator.liveRuns([])).toEqual(new Set());
});

test("setup makes the schedule once and keeps what a person changed; when it fires, a worker sweeps", async () => {
  const setup = async () => JSON.parse((await service.run("cli", ["setup", "--json"])).out);
  expect(await setup()).toMatchObject({ registered: [], schedule: { id: "sweep", outcome: "created" } });
  const schedule = service.client.schedule.getHandle("sweep");
  const { action, policies, spec } = await schedule.describe();
  expect(action).toMatchObject({ workflowType: "sweep", workflowId: "sweep", taskQueue: "analysis" });
  expect(policies).toMatchObject({ overlap: "SKIP" });
  expect(spec.calendars).toMatchObject([{ hour: [{ start: 3 }], minute: [{ start: 30 }] }]);

  await schedule.update(({ action: present, ...rest }) => ({
    ...rest,
    spec: { calendars: [{ hour: 5 }] },
    action: { ...present, taskQueue: "of-yesterday" },
  }));
  await schedule.pause("maintenance");
  expect(await setup()).toMatchObject({ schedule: { id: "sweep", outcome: "kept" } });
  const kept = await schedule.describe();
  expect(kept.action).toMatchObject({ taskQueue: "analysis" });
  expect(kept.spec.calendars).toMatchObject([{ hour: [{ start: 5 }] }]);
  expect(kept.state).toMatchObject({ paused: true, note: "maintenance" });
  expect(await service.run("cli", ["setup"])).toMatchObject({
    out: `namespace ${service.namespace}: no search attribute was missing; kept the schedule sweep\n`,
  });

  const died = await stage(randomUUID());
  const scratch = join(service.folder, "tmp/polars-analysis-999999999-fetch-1");
  await plant(scratch, 30);
  const worker = await service.worker();
  await eventually(async () => (await service.scratch()).length === 0);
  await plant(scratch, 30);
  await schedule.trigger();
  const swept = async () => {
    for await (const run of service.client.workflow.list({ query: 'WorkflowType = "sweep"' })) return run;
    return undefined;
  };
  await eventually(async () => (await swept())?.status.name === "COMPLETED", 30_000);
  const { workflowId = "", runId = "" } = (await swept()) ?? {};
  expect(workflowId).toMatch(/^sweep-\d{4}-\d\d-\d\dT/);
  const report: SweepReport = await service.client.workflow.getHandle(workflowId, runId).result();
  const one = { count: 1, sizeBytes: 5 };
  expect(report).toMatchObject({ olderThanHours: 192, staged: { removed: one }, scratch: { removed: one } });
  expect(await service.stored()).not.toContain(died);
  expect(await service.scratch()).toEqual([]);
  worker.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ status: 0 });
});

const nothing = { count: 0, sizeBytes: 0 };
const clean = { removed: nothing, live: nothing, young: nothing };

/** A worker of this process whose use case is given. */
async function withWorker(sweep: SweepUseCase["sweep"], work: (taskQueue: string) => Promise<void>): Promise<void> {
  const taskQueue = randomUUID();
  const worker = await startAnalysisWorker({
    target,
    taskQueue,
    activities: createSweepActivities({ sweep, sweepScratch: async () => clean }),
    maxActivities: 2,
    workflowBundle: join(service.folder, "workflows.js"),
  });
  await work(taskQueue).finally(() => worker.stop());
}

test("a sweep gets its request, is tried again while the store is away, and ends with the report", async () => {
  const requests: SweepRequest[] = [];
  const report = { olderThanHours: 5, dryRun: true, staged: clean, unfinished: clean, scratch: clean };
  const sweep: SweepUseCase["sweep"] = async (request) => {
    requests.push(request);
    if (requests.length === 1) throw new StoreUnavailable("the store is away");
    return report;
  };
  await withWorker(sweep, async (taskQueue) => {
    const request = { olderThanHours: 5, dryRun: true };
    const run = await service.client.workflow.start("sweep", { workflowId: randomUUID(), taskQueue, args: [request] });
    expect(await run.result()).toEqual(report);
    expect(requests).toEqual([request, request]);
    const bare = await service.client.workflow.start("sweep", { workflowId: randomUUID(), taskQueue });
    await bare.result();
    expect(requests.at(-1)).toEqual({});
  });
});

test("a sweep with a malformed request fails with the code, at once", async () => {
  let calls = 0;
  const sweep = async () => {
    calls += 1;
    throw new BadRequest("olderThanHours must be a number");
  };
  await withWorker(sweep, async (taskQueue) => {
    const run = await service.client.workflow.start("sweep", { workflowId: randomUUID(), taskQueue });
    await expect(run.result()).rejects.toMatchObject({ cause: { type: "bad-request" } });
    expect(calls).toBe(1);
  });
});

test("a sweep heeds a cancel", async () => {
  let sweeping = false;
  const sweep: SweepUseCase["sweep"] = (_request, { signal } = {}) => {
    sweeping = true;
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  };
  await withWorker(sweep, async (taskQueue) => {
    const run = await service.client.workflow.start("sweep", { workflowId: randomUUID(), taskQueue });
    await eventually(() => sweeping);
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ cause: { name: "CancelledFailure" } });
  });
});
