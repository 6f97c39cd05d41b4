/*
 * Makes the histories that replay.test.ts replays, from real runs: `node test/workflows/save-histories.ts`, of some of
 * them with their names behind. Saved ones stand for runs that are under way when a worker with new code takes over, so
 * they are made anew only when a change of the workflow is meant to break with them.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createServiceWithTemporal, eventually, manyRowsCsv, slowFields, smallCsv } from "../support/service.ts";
import { startTestServer, testBinary } from "../support/temporal.ts";

const binary = await testBinary();
await using server = await startTestServer();
await using service = await createServiceWithTemporal(server.address);
await service.define("totals");
await service.define("refused", { checks: "[rowCount({ min: 3 })]" });
await service.define("slow", slowFields);
await service.define("looking-back", { lateDays: "1" });
await service.write("2026-01-01.csv", smallCsv);
await service.write("2026-01-02.csv", manyRowsCsv(20_000));
for (const day of [1, 2, 3, 5, 6]) await service.write(`2026-02-0${day}.csv`, smallCsv);
await service.write("2026-02-04.csv", "category,value\na,many\n");
const worker = await service.worker();

const start = (dataset: string, date: string) =>
  service.client.workflow.start("runAnalysis", {
    workflowId: `analysis/${dataset}/${date}`,
    taskQueue: "analysis",
    args: [{ dataset, date }],
  });

for (const [name, dataset, date] of [
  ["published", "totals", "2026-01-01"],
  ["unchanged", "totals", "2026-01-01"],
  ["checks-failed", "refused", "2026-01-01"],
  ["retried", "totals", "2026-01-03"],
] as const) {
  const run = await start(dataset, date);
  await run.result().catch(() => undefined);
  await save(name, run.workflowId, run.firstExecutionRunId);
}

const run = await start("slow", "2026-01-02");
await eventually(async () =>
  ((await run.describe()).raw.pendingActivities ?? []).some(({ activityType }) => activityType?.name === "analyze"),
);
await run.cancel();
await run.result().catch(() => undefined);
await save("canceled", run.workflowId, run.firstExecutionRunId);

const startDaily = (dataset: string, date: string) =>
  service.client.workflow.start("dailyAnalysis", {
    workflowId: `daily/${dataset}/${date}`,
    taskQueue: "analysis",
    args: [{ dataset, date }],
  });

const daily = await startDaily("looking-back", "2026-01-01");
await daily.result();
await save("daily", daily.workflowId, daily.firstExecutionRunId);

const met = await start("slow", "2026-01-02");
const waiting = await startDaily("slow", "2026-01-02");
await met.result();
await waiting.result();
await save("daily-met", waiting.workflowId, waiting.firstExecutionRunId);

const sweep = await service.client.workflow.start("sweep", { workflowId: "sweep", taskQueue: "analysis" });
await sweep.result();
await save("swept", sweep.workflowId, sweep.firstExecutionRunId);

// A batch, a date that needs a run of its own, and a pause.
const backfill = await service.client.workflow.start("backfill", {
  workflowId: "backfill/totals",
  taskQueue: "analysis",
  args: [{ dataset: "totals", from: "2026-02-01", to: "2026-02-06" }],
});
await backfill.signal("pause");
await backfill.signal("resume");
await backfill.result();
await save("backfilled", backfill.workflowId, backfill.firstExecutionRunId);

worker.kill("SIGTERM");
await worker.ended;

async function save(name: string, workflowId: string, runId: string): Promise<void> {
  const wanted = process.argv.slice(2);
  if (wanted.length > 0 && !wanted.includes(name)) return;
  const target = ["--address", server.address, "--namespace", service.namespace];
  const which = ["--workflow-id", workflowId, "--run-id", runId];
  const { stdout } = await promisify(execFile)(binary, ["workflow", "show", "--output", "json", ...which, ...target], {
    maxBuffer: 2 ** 26,
  });
  const text = stdout.replaceAll(hostname(), "worker");
  await writeFile(fileURLToPath(new URL(`histories/${name}.json`, import.meta.url)), text);
  process.stdout.write(`${name}: ${JSON.parse(text).events.length} events\n`);
}
