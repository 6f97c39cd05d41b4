import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { WorkflowHandle } from "@temporalio/client";
import { expect, inject, test, vi } from "vitest";
import {
  createServiceWithTemporal,
  eventually,
  manyRowsCsv,
  type ServiceWithTemporal,
  slowFields,
} from "../support/service.ts";
import { testBinary } from "../support/temporal.ts";

vi.setConfig({ testTimeout: 180_000 });

const workflowId = "analysis/slow/2026-01-01";

/** A run whose calculation takes far longer than the test. */
async function startSlowRun(service: ServiceWithTemporal, rows: number): Promise<WorkflowHandle> {
  await service.define("slow", slowFields);
  await service.write("2026-01-01.csv", manyRowsCsv(rows));
  const args = [{ dataset: "slow", date: "2026-01-01" }];
  return service.client.workflow.start("runAnalysis", { workflowId, taskQueue: "analysis", args });
}

const settings = { HEARTBEAT_TIMEOUT_SECONDS: "5", WARM_CHILDREN: "0" };

test("a cancel by the temporal CLI ends the calculation within two seconds, and the run ends canceled", async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"), settings);
  const run = await startSlowRun(service, 100_000);
  await service.worker();
  await eventually(async () => (await service.calculations()).length === 1);
  const target = ["--address", inject("temporalAddress"), "--namespace", service.namespace];
  await promisify(execFile)(await testBinary(), ["workflow", "cancel", "--workflow-id", workflowId, ...target]);
  const begin = performance.now();
  await eventually(async () => (await service.calculations()).length === 0);
  expect(performance.now() - begin).toBeLessThan(2_000);
  await expect(run.result()).rejects.toMatchObject({ cause: { name: "CancelledFailure" } });
  expect((await run.describe()).status.name).toBe("CANCELLED");
  expect(await service.stored()).toEqual([]);
  const { status, err } = await service.run("cli", ["submit", "slow", "2026-01-02"]);
  expect(err).toMatch(/^input-missing: /);
  expect(status).toBe(11);
});

test("a run that is canceled while its worker is lost ends canceled, without another worker's calculation", async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"), {
    ...settings,
    HEARTBEAT_TIMEOUT_SECONDS: "2",
  });
  const run = await startSlowRun(service, 100_000);
  const lost = await service.worker();
  await eventually(async () => (await service.calculations()).length === 1);
  lost.kill("SIGKILL");
  await lost.ended;
  await run.cancel();
  await service.worker();
  await expect(run.result()).rejects.toMatchObject({ cause: { name: "CancelledFailure" } });
  expect((await run.describe()).status.name).toBe("CANCELLED");
  expect(await service.calculations()).toEqual([]);
});

test("a worker that is stopped by SIGTERM gives its run back at once, and leaves no process", async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"), settings);
  const run = await startSlowRun(service, 12_000);
  const first = await service.worker();
  await eventually(async () => (await service.calculations()).length === 1);
  first.kill("SIGTERM");
  expect(await first.ended).toMatchObject({ status: 0, signal: null });
  expect(await service.processes()).toEqual([]);
  const second = await service.worker();
  expect(await run.result()).toMatchObject({ outcome: "published" });
  second.kill("SIGTERM");
  expect(await second.ended).toMatchObject({ status: 0 });
  expect(await service.processes()).toEqual([]);
  expect((await service.stored()).filter((path) => path.includes("_manifests/"))).toHaveLength(1);
  // Nobody had to wait for a missed heartbeat.
  const starts = ((await run.fetchHistory()).events ?? []).map((event) => event.activityTaskStartedEventAttributes);
  const failures = starts.flatMap((start) => start?.lastFailure ?? []);
  expect(failures).toMatchObject([{ applicationFailureInfo: { type: "WorkerShutdown" } }]);
});

test("a worker that is idle ends soon after SIGTERM, and of SIGINT", async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"), { WARM_CHILDREN: "2" });
  await service.define("slow");
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const worker = await service.worker();
    const begin = performance.now();
    worker.kill(signal);
    expect(await worker.ended).toMatchObject({ status: 0, signal: null });
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(await service.processes()).toEqual([]);
  }
});
