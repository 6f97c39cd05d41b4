import { setTimeout as sleep } from "node:timers/promises";
import type { WorkflowHandle } from "@temporalio/client";
import { expect, inject, test } from "vitest";
import { createServiceWithTemporal, eventually, manyRowsCsv, slowFields } from "../support/service.ts";

/** temporal.api.enums.v1.PendingActivityState */
const startedState = 2;
const kills = 10;
const longestWaitMs = 2_000;

test("a run survives ten workers that are killed in the middle of its calculation", { timeout: 300_000 }, async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"), {
    HEARTBEAT_TIMEOUT_SECONDS: "2",
    WARM_CHILDREN: "1",
  });
  await service.define("slow", slowFields);
  await service.write("2026-01-01.csv", manyRowsCsv(12_000));
  const run = await service.client.workflow.start("runAnalysis", {
    workflowId: "analysis/slow/2026-01-01",
    taskQueue: "analysis",
    args: [{ dataset: "slow", date: "2026-01-01" }],
  });

  let worker = await service.worker();
  for (let killed = 1; killed <= kills; killed += 1) {
    const { pid } = worker;
    await eventually(() => calculatesAt(run, pid), 30_000);
    await sleep(Math.random() * longestWaitMs);
    const children = await service.calculations(pid);
    expect(children.length).toBeGreaterThan(0);
    worker.kill("SIGKILL");
    expect(await worker.ended).toMatchObject({ signal: "SIGKILL" });
    const next = service.worker();
    // Its calculation, and the child that was waiting for the next one, end without it.
    const left = async () =>
      (await service.calculations()).filter(({ pid }) => children.some((each) => each.pid === pid));
    await eventually(async () => (await left()).length === 0, 2_000);
    worker = await next;
  }
  expect(await run.result()).toMatchObject({ outcome: "published", rows: 7 });

  const { events = [] } = await run.fetchHistory();
  const attempts = (events ?? []).map((event) => event.activityTaskStartedEventAttributes?.attempt ?? 0);
  expect(Math.max(...attempts)).toBeGreaterThan(kills);

  const { runId } = await run.describe();
  const stored = (await service.stored()).filter((path) => !path.startsWith("_index/"));
  const [manifest = "", ...more] = stored.filter((path) => path.includes("/_manifests/"));
  expect(more).toEqual([]);
  expect(manifest).toContain(runId);
  expect(await service.json("slow/2026-01-01/manifest.json")).toMatchObject({ runId, key: manifest });
  expect(stored).toEqual([manifest, "slow/2026-01-01/manifest.json", "slow/2026-01-01/result.parquet"]);

  worker.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ status: 0 });
  expect(await service.processes()).toEqual([]);
});

async function calculatesAt(run: WorkflowHandle, pid: number): Promise<boolean> {
  const { raw } = await run.describe();
  return (raw.pendingActivities ?? []).some(
    ({ activityType, lastWorkerIdentity, state }) =>
      activityType?.name === "analyze" && lastWorkerIdentity?.startsWith(`${pid}@`) && state === startedState,
  );
}
