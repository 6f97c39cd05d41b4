import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { expect, test, vi } from "vitest";
import { addDays } from "../../src/domain/value-object/date-range.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import { startDevServer } from "../../src/infrastructure/temporal/dev-server.ts";
import { bundleWorkflows } from "../../src/infrastructure/temporal/worker.ts";
import type { BackfillReport } from "../../src/usecase/dto/backfill.ts";
import { createService, eventually, manyRowsCsv, slowFields } from "../support/service.ts";
import { searchAttributes, testBinary } from "../support/temporal.ts";

vi.setConfig({ testTimeout: 240_000 });

const first = parseTargetDate("2026-01-01");
const days = 12;

test("a Temporal server that is killed in the middle comes back with its file, and every date runs once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "backfill-server-"));
  const dbFile = join(folder, "temporal.db");
  const binary = await testBinary();
  const startServer = (port: number) => startDevServer({ binary, port, uiPort: 0, dbFile, searchAttributes });
  let server = await startServer(0);
  try {
    await using service = await createService({
      TEMPORAL_ADDRESS: server.address,
      WORKFLOW_BUNDLE: "workflows.js",
      HEARTBEAT_TIMEOUT_SECONDS: "2",
      WARM_CHILDREN: "0",
    });
    await writeFile(join(service.folder, "workflows.js"), (await bundleWorkflows()).code);
    await service.define("totals", slowFields);
    for (let day = 0; day < days; day += 1) await service.write(`${addDays(first, day)}.csv`, manyRowsCsv(2_500));
    const manifests = async () => (await service.stored()).filter((path) => path.includes("/_manifests/"));
    const worker = await service.worker();
    const args = ["backfill", "totals", first, addDays(first, days - 1), "--window", "2", "--no-wait", "--json"];
    const { workflowId, runId } = JSON.parse((await service.run("cli", args)).out);
    await eventually(async () => (await manifests()).length > 2, 60_000);

    const port = Number(server.address.split(":")[1]);
    process.kill(server.pid, "SIGKILL");
    await server.ended;
    server = await startServer(port);
    worker.kill("SIGKILL");
    await worker.ended;
    await service.worker();

    const connection = await Connection.connect({ address: server.address });
    try {
      const report: BackfillReport = await new Client({ connection }).workflow.getHandle(workflowId, runId).result();
      expect(report).toMatchObject({ state: "completed", done: days, counts: { published: days, failed: 0 } });
    } finally {
      await connection.close();
    }
    expect(await manifests()).toHaveLength(days);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
