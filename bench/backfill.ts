/*
 * Backfills of small real days: a development server with its database in a file, a worker, and the flights from New York
 * in 2013, a file of about 85 KB a day. Prints the time from the request to the report, for 30 and for 365 dates, each
 * into an empty store, and for the same backfill again. Nothing is asserted: machines differ, and a loaded one is many
 * times slower.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { wireCli } from "../src/wiring.ts";
import { flightsDefinition, flightsYear } from "../test/support/flights-year.ts";

const { values } = parseArgs({
  options: {
    window: { type: "string", default: "4" },
    days: { type: "string", multiple: true, default: ["30", "365"] },
  },
});
const window = Number(values.window);
const year = await flightsYear();
const folder = await mkdtemp(join(tmpdir(), "bench-backfill-"));
const datasets = join(folder, "datasets");
await mkdir(datasets);
await writeFile(join(datasets, "year.ts"), flightsDefinition("year", `file:${year}/flights-{date}.csv`));

try {
  for (const days of values.days.map(Number)) await measure(days);
} finally {
  await rm(folder, { recursive: true });
}

async function measure(days: number): Promise<void> {
  const place = join(folder, String(days));
  await mkdir(place);
  const env = {
    ...process.env,
    DATASETS: datasets,
    STORE_URL: `file:${join(place, "store")}`,
    TEMPORAL_DEV_PORT: "0",
    TEMPORAL_DEV_UI_PORT: "0",
    API_PORT: "0",
    TEMPORAL_DEV_DATABASE: join(place, "temporal.db"),
  };
  await using development = await wireCli(env).dev((sentence) => process.stderr.write(`${sentence}\n`));
  await using backfill = await wireCli({ ...env, TEMPORAL_ADDRESS: development.address }).backfill();
  const from = "2013-01-01";
  const to = new Date(Date.UTC(2013, 0, days)).toISOString().slice(0, 10);
  // The worker's first tasks, and its spare children, are not what is measured.
  await development.submit.wait(await development.submit.submit({ dataset: "year", date: "2013-12-31" }));
  await sleep(2_000);
  for (const round of ["into an empty store", "the same again"]) {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const report = await backfill.useCase.wait(
      await backfill.useCase.start({ dataset: "year", from, to, window, mode: "changed" }),
    );
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    const counts = Object.entries(report.counts).flatMap(([outcome, count]) =>
      count > 0 ? [`${count} ${outcome}`] : [],
    );
    process.stdout.write(
      `${String(days).padStart(4)} days, ${round.padEnd(20)} ${(ms / 1000).toFixed(2).padStart(7)} s ${(days / (ms / 1000)).toFixed(0).padStart(6)} days/s   ${counts.join(", ")}; this process used ${((user + system) / 1e6).toFixed(2)} s of CPU\n`,
    );
  }
}
