import { expect, inject, test } from "vitest";
import { createServiceWithTemporal, eventually, smallCsv } from "../../support/service.ts";

test("status tells of a backfill that is under way, without a worker as well", { timeout: 180_000 }, async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"), { WARM_CHILDREN: "1" });
  await service.define("totals");
  for (const day of ["01", "02", "03"]) await service.write(`2026-01-${day}.csv`, smallCsv);
  const status = async (...more: string[]) => (await service.run("cli", ["status", "totals", ...more])).out;
  const backfill = async () => JSON.parse(await status("--json")).datasets[0].backfill;
  expect(await backfill()).toBeNull();

  const run = await service.client.workflow.start("backfill", {
    workflowId: "backfill/totals",
    taskQueue: "analysis",
    args: [{ dataset: "totals", from: "2026-01-01", to: "2026-01-03" }],
  });
  // Before its first step, so that it begins no date.
  await run.signal("pause");
  const silent = await backfill();
  expect(silent).toEqual({
    workflowId: "backfill/totals",
    runId: run.firstExecutionRunId,
    startedAt: expect.stringMatching(/^20.*Z$/),
    progress: null,
  });
  expect(await status()).toContain("\nbackfill: running; no worker tells how far it is\n");

  await service.worker();
  const line = "\nbackfill 2026-01-01 to 2026-01-03: paused, 0 of 3 dates\n";
  await eventually(async () => (await status()).includes(line), 60_000);
  expect((await backfill()).progress).toMatchObject({ state: "paused", done: 0, total: 3 });
  expect(await status("--without-temporal")).not.toContain("backfill");
  await run.signal("resume");
  await run.result();
  expect(await backfill()).toBeNull();
  expect(await status()).toContain("3 days: 3 published");
});
