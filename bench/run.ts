/*
 * Submit to published manifest on the warm path: a development server, a worker and a small day. Prints medians and where
 * the time goes. Nothing is asserted: machines differ, and a loaded one is three times slower. Runs come one at a time
 * with a pause, in which the worker warms its next child; `--pause 0` shows them back to back.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Client, Connection } from "@temporalio/client";
import { wireCli } from "../src/wiring.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "50" }, pause: { type: "string", default: "1000" } },
});
const runs = Number(values.runs);
const pauseMs = Number(values.pause);
const folder = await mkdtemp(join(tmpdir(), "bench-run-"));
const datasets = join(folder, "datasets");
await cp(new URL("../datasets", import.meta.url), datasets, { recursive: true });
// One day under many dates: each run is a partition of its own.
const day = await readFile(join(datasets, "flights/flights-2013-02-05.csv.gz"));
const dates = Array.from({ length: runs + 5 }, (_, index) =>
  new Date(Date.UTC(2030, 0, 1 + index)).toISOString().slice(0, 10),
);
for (const date of dates) await writeFile(join(datasets, `flights/flights-${date}.csv.gz`), day);

const services = wireCli({
  ...process.env,
  DATASETS: datasets,
  STORE_URL: `file:${join(folder, "store")}`,
  TEMPORAL_DEV_PORT: "0",
  TEMPORAL_DEV_UI_PORT: "0",
  API_PORT: "0",
  TEMPORAL_DEV_DATABASE: join(folder, "temporal.db"),
});

try {
  await using development = await services.dev((sentence) => process.stderr.write(`${sentence}\n`));
  const connection = await Connection.connect({ address: development.address });
  const client = new Client({ connection });
  const measure = async (date: string) => {
    await sleep(pauseMs);
    const started = performance.now();
    const run = await development.submit.submit({ dataset: "flights", date });
    const output = await development.submit.wait(run);
    return { run, output, ms: performance.now() - started };
  };
  for (const date of dates.slice(runs)) await measure(date);
  const published: number[] = [];
  const unchanged: number[] = [];
  const steps: Record<string, number[]> = {};
  for (const date of dates.slice(0, runs)) {
    const { run, output, ms } = await measure(date);
    if (output.outcome !== "published") throw new Error(`expected published, got ${output.outcome}`);
    published.push(ms);
    add("calculation (child, staging)", output.manifest.steps.analyze.ms);
    await activityTimes(client, run.workflowId, run.runId);
  }
  for (const date of dates.slice(0, runs)) {
    const { output, ms } = await measure(date);
    if (output.outcome !== "unchanged") throw new Error(`expected unchanged, got ${output.outcome}`);
    unchanged.push(ms);
  }
  await connection.close();
  const line = (name: string, times: number[]) =>
    `${name.padEnd(44)} median ${quantile(times, 0.5).toFixed(1).padStart(7)} ms   p95 ${quantile(times, 0.95).toFixed(1).padStart(7)} ms\n`;
  process.stdout.write(line(`submit to published, ${runs} runs`, published));
  process.stdout.write(line(`submit to unchanged, ${runs} runs`, unchanged));
  process.stdout.write(`with ${pauseMs} ms between two runs\n`);
  process.stdout.write("of a published run:\n");
  for (const [name, times] of Object.entries(steps)) process.stdout.write(line(`  ${name}`, times));

  function add(name: string, ms: number): void {
    steps[name] = [...(steps[name] ?? []), ms];
  }

  /** From the server's own history: how long each activity waited for the worker, and ran. */
  async function activityTimes(from: Client, workflowId: string, runId: string): Promise<void> {
    const { events } = await from.workflow.getHandle(workflowId, runId).fetchHistory();
    const at = (event: NonNullable<typeof events>[number] | undefined) =>
      Number(event?.eventTime?.seconds ?? 0) * 1000 + (event?.eventTime?.nanos ?? 0) / 1e6;
    for (const event of events ?? []) {
      const ended = event.activityTaskCompletedEventAttributes;
      if (!ended) continue;
      const find = (id: unknown) => events?.find((other) => String(other.eventId) === String(id));
      const scheduled = find(ended.scheduledEventId);
      const startedEvent = find(ended.startedEventId);
      const name = scheduled?.activityTaskScheduledEventAttributes?.activityType?.name ?? "";
      add(`${name}: waiting for the worker`, at(startedEvent) - at(scheduled));
      add(`${name}: running`, at(event) - at(startedEvent));
    }
    const first = events?.[0];
    const last = events?.at(-1);
    add("the workflow, first event to last", at(last) - at(first));
  }
} finally {
  await rm(folder, { recursive: true });
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
