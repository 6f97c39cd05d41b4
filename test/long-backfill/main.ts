/*
 * Backfills of any length through real processes: `npm run long-backfill -- --dates 3650`. Up to 365 dates are the real
 * flights of 2013, more are a few rows for each date. With `--faults` the worker and the Temporal server are killed in
 * the middle, the backfill is paused and resumed, daily runs come in between, and at last one is canceled.
 */
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Client, Connection } from "@temporalio/client";
import { addDays } from "../../src/domain/value-object/date-range.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import { type DevServer, startDevServer } from "../../src/infrastructure/temporal/dev-server.ts";
import { bundleWorkflows } from "../../src/infrastructure/temporal/worker.ts";
import { outliveReaders } from "../../src/interface/outlive-readers.ts";
import { stopRequests } from "../../src/interface/stop-requested.ts";
import type { BackfillProgress, BackfillReport } from "../../src/usecase/dto/backfill.ts";
import { exitStatusOf, runCommand } from "../support/command.ts";
import { flightsDefinition, flightsYear } from "../support/flights-year.ts";
import { createLimits, type Limits } from "../support/limits.ts";
import { createService, type Running, type Service } from "../support/service.ts";
import { searchAttributes, testBinary } from "../support/temporal.ts";

type Options = { readonly dates: number; readonly window: number; readonly faults: boolean };

const realDates = 365;
const mostDates = 7_000;
const startLimitMs = 90_000;
const dailyRuns = 5;
const holdMs = 2_000;
/** Events at which Temporal warns. */
const warning = 10_240;

outliveReaders();
await runCommand(parseOptions(), async (options) => {
  try {
    const faults = await longBackfill(options, createLimits(stopRequests()));
    for (const fault of faults) say(`FAULT: ${fault}`);
    return faults.length === 0 ? 0 : 3;
  } catch (error) {
    return exitStatusOf(error);
  }
});

/** One server, one worker and one client, each of which may be lost and come again. */
type World = {
  readonly service: Service;
  readonly limits: Limits;
  readonly client: () => Client;
  readonly killWorker: () => Promise<void>;
  readonly killServer: () => Promise<void>;
};

async function longBackfill({ dates, window, faults }: Options, limits: Limits): Promise<readonly string[]> {
  await using parts = new AsyncDisposableStack();
  const world = await openWorld(dates, limits, parts);
  const from = parseTargetDate(dates <= realDates ? "2013-01-01" : "2010-01-01");
  const range = { dataset: "days", from, to: addDays(from, dates - 1), window };
  const found: string[] = [];
  const expect = (holds: boolean, sentence: string) => void (holds || found.push(sentence));
  const limitMs = 120_000 + dates * 2_000;

  const started = performance.now();
  const { workflowId, runId } = await begin(world, range);
  if (faults) await disturb(world, dates, expect);
  const report = await limits.within(limitMs, "the backfill", resultOf(world, workflowId, runId));
  const seconds = (performance.now() - started) / 1000;
  say(
    `${dates} dates in ${seconds.toFixed(1)} s, ${(dates / seconds).toFixed(1)} dates/s${faults ? ", with faults" : ""}`,
  );
  expect(report.state === "completed" && report.counts.published === dates, `it ended as ${JSON.stringify(report)}`);

  const published = await world.service.stored();
  const manifests = published.filter((path) => path.startsWith("days/") && path.includes("/_manifests/"));
  const ofRange = new Set(manifests.map((path) => path.split("/")[1] ?? "").filter((date) => date <= range.to));
  expect(ofRange.size === dates, `${ofRange.size} of ${dates} dates have a manifest`);
  const extra = manifests.length - ofRange.size - (faults ? dailyRuns : 0);
  say(`manifests beyond one for each date: ${extra}`);
  expect(faults ? extra <= 2 * window : extra === 0, `${extra} dates were published twice`);
  await printHistories(world, workflowId, expect);

  const again = performance.now();
  const repeated = await begin(world, range);
  const same = await limits.within(limitMs, "the same again", resultOf(world, workflowId, repeated.runId));
  say(`the same again in ${((performance.now() - again) / 1000).toFixed(2)} s`);
  expect(same.counts.unchanged === dates, `again it ended as ${JSON.stringify(same.counts)}`);
  expect((await world.service.stored()).length === published.length, "the same again has written something");
  if (faults) await cancelHalfway(world, range, expect);
  return found;
}

type Expect = (holds: boolean, sentence: string) => void;
type Range = { readonly dataset: string; readonly from: string; readonly to: string; readonly window: number };

async function openWorld(dates: number, limits: Limits, parts: AsyncDisposableStack): Promise<World> {
  const binary = await testBinary();
  const service = parts.use(await createService({ WORKFLOW_BUNDLE: "workflows.js", HEARTBEAT_TIMEOUT_SECONDS: "2" }));
  await writeFile(join(service.folder, "workflows.js"), (await bundleWorkflows()).code);
  if (dates <= realDates) await defineFlights(service, await flightsYear());
  else await defineSmall(service, dates);

  const start = (port: number) =>
    startDevServer({ binary, port, uiPort: 0, dbFile: join(service.folder, "temporal.db"), searchAttributes });
  let server: DevServer = await start(0);
  parts.defer(() => server.stop());
  service.env["TEMPORAL_ADDRESS"] = server.address;
  const connect = async () => {
    const connection = await Connection.connect({ address: server.address });
    parts.defer(() => connection.close());
    return new Client({ connection });
  };
  let client = await connect();
  const startWorker = () => limits.within(startLimitMs, "the start of a worker", service.worker());
  let worker: Running = await startWorker();
  parts.defer(() => worker.kill("SIGKILL"));
  return {
    service,
    limits,
    client: () => client,
    async killWorker() {
      worker.kill("SIGKILL");
      await worker.ended;
      worker = await startWorker();
    },
    async killServer() {
      const port = Number(server.address.split(":")[1]);
      process.kill(server.pid, "SIGKILL");
      await server.ended;
      server = await start(port);
      client = await connect();
    },
  };
}

async function begin(
  { client }: World,
  range: Range,
): Promise<{ readonly workflowId: string; readonly runId: string }> {
  const workflowId = `backfill/${range.dataset}`;
  const handle = await client().workflow.start("backfill", { workflowId, taskQueue: "analysis", args: [range] });
  return { workflowId, runId: handle.firstExecutionRunId };
}

async function resultOf({ client }: World, workflowId: string, runId: string): Promise<BackfillReport> {
  return client().workflow.getHandle(workflowId, runId).result();
}

/** How long daily runs take is printed and not judged: machines differ. The aim is 2 s on an idle one. */
async function disturb(world: World, dates: number, expect: Expect): Promise<void> {
  const latencies: number[] = [];
  for (let run = 0; run < dailyRuns; run += 1) {
    await reach(world, Math.ceil((dates * (run + 1)) / 20));
    latencies.push(await runDaily(world, run));
  }
  say(`daily runs meanwhile were published after ${latencies.map((ms) => `${Math.round(ms)} ms`).join(", ")}`);

  await reach(world, Math.ceil(dates * 0.35));
  const backfill = () => world.client().workflow.getHandle("backfill/days");
  await backfill().signal("pause");
  await until(world, "the pause", async () => ((await backfill().describe()).raw.pendingActivities ?? []).length === 0);
  const held = await progressOf(world);
  await world.limits.sleep(holdMs);
  expect((await progressOf(world)).done === held.done && held.state === "paused", "it went on while it was paused");
  await backfill().signal("resume");
  say(`paused at ${held.done} of ${dates}, held ${holdMs / 1000} s`);

  await reach(world, Math.ceil(dates * 0.45));
  await world.killWorker();
  say("killed the worker");
  await reach(world, Math.ceil(dates * 0.6));
  await world.killServer();
  say("killed the Temporal server");
  await reach(world, Math.ceil(dates * 0.75));
  await Promise.all([world.killServer(), world.killWorker()]);
  say("killed both");
}

/** Of a date of its own, as a schedule starts it. From the start to the published result, in milliseconds. */
async function runDaily({ client }: World, run: number): Promise<number> {
  const date = dailyDate(run);
  const started = performance.now();
  await client().workflow.execute("dailyAnalysis", {
    workflowId: `daily/days-${run}`,
    taskQueue: "analysis",
    args: [{ dataset: "days", date }],
  });
  return performance.now() - started;
}

/** After all ranges. */
function dailyDate(run: number): string {
  return addDays(parseTargetDate("2040-01-01"), run);
}

async function cancelHalfway(world: World, range: Range, expect: Expect): Promise<void> {
  const { client, service, limits } = world;
  const handle = await client().workflow.start("backfill", {
    workflowId: "backfill/days",
    taskQueue: "analysis",
    args: [{ ...range, mode: "force" }],
  });
  await until(world, "a quarter of them", async () => {
    const { done, total, mode } = await progressOf(world);
    return mode === "force" && total > 0 && done >= total / 4;
  });
  await handle.cancel();
  await limits.within(
    startLimitMs,
    "the cancel",
    handle.result().catch(() => undefined),
  );
  const { done, state, total } = await progressOf(world);
  const before = (await service.stored()).length;
  await limits.sleep(holdMs);
  say(`canceled at ${done} of ${total}`);
  expect(state === "canceled" && done > 0 && done < total, `it was ${state} with ${done} of ${total} dates`);
  expect((await service.stored()).length === before, "something was written after the cancel");
  const running = await Array.fromAsync(client().workflow.list({ query: 'ExecutionStatus = "Running"' }));
  expect(running.length === 0, `${running.map(({ workflowId }) => workflowId).join(", ")} went on after the cancel`);
}

async function printHistories({ client }: World, workflowId: string, expect: Expect): Promise<void> {
  const runs = await Array.fromAsync(client().workflow.list({ query: `WorkflowId = "${workflowId}"` }));
  const longest = Math.max(...runs.map(({ historyLength }) => historyLength));
  say(`continued as new ${runs.length - 1} times, largest history ${longest} events`);
  expect(runs.length > 0 && longest < warning, `a history has ${longest} events`);
}

async function progressOf({ client }: World): Promise<BackfillProgress> {
  return client().workflow.getHandle("backfill/days").query("progress");
}

/** Waits until so many dates have ended. */
async function reach(world: World, done: number): Promise<void> {
  await until(world, `${done} dates`, async () => (await progressOf(world)).done >= done);
}

async function until({ limits }: World, what: string, condition: () => Promise<boolean>): Promise<void> {
  const waiting = new AbortController();
  const wait = async () => {
    // A server or a worker that was killed answers nothing for a while.
    while (!waiting.signal.aborted && !(await condition().catch(() => false))) await limits.sleep(50);
  };
  await limits.within(300_000, what, wait()).finally(() => waiting.abort());
}

async function defineFlights(service: Service, year: string): Promise<void> {
  await writeFile(join(service.datasets, "days.ts"), flightsDefinition("days", "file:{date}.csv"));
  const first = parseTargetDate("2013-01-01");
  for (let day = 0; day < realDates; day += 1) {
    const date = addDays(first, day);
    await copyFile(join(year, `flights-${date}.csv`), join(service.datasets, `${date}.csv`));
  }
  for (let run = 0; run < dailyRuns; run += 1) {
    await copyFile(join(year, "flights-2013-07-01.csv"), join(service.datasets, `${dailyDate(run)}.csv`));
  }
}

async function defineSmall(service: Service, dates: number): Promise<void> {
  await service.define("days");
  const first = parseTargetDate("2010-01-01");
  const days = [
    ...Array.from({ length: dates }, (_, day) => addDays(first, day)),
    ...Array.from({ length: dailyRuns }, (_, run) => dailyDate(run)),
  ];
  for (const [index, date] of days.entries()) {
    await service.write(`${date}.csv`, `category,value\na,${index}\nb,${index % 7}\na,${index % 11}\n`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The options, or what is wrong with them. */
function parseOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        dates: { type: "string", default: String(realDates) },
        window: { type: "string", default: "4" },
        faults: { type: "boolean", default: false },
      },
    });
    const [dates, window] = [Number(values.dates), Number(values.window)];
    // With fewer it would be over before all faults have come.
    const fewest = values.faults ? 200 : 1;
    if (!/^\d+$/.test(values.dates) || dates < fewest || dates > mostDates) {
      return `--dates must be a whole number from ${fewest} to ${mostDates}, got ${values.dates}`;
    }
    if (!/^\d+$/.test(values.window) || window < 1 || window > 50) {
      return `--window must be a whole number from 1 to 50, got ${values.window}`;
    }
    return { dates, window, faults: values.faults };
  } catch (error) {
    return error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : String(error);
  }
}
