import type { RunAnalysisOutput } from "../../usecase/dto/run-analysis-output.ts";
import { printJson } from "../presenter/json-presenter.ts";
import { createProgress } from "../presenter/progress-presenter.ts";
import { count, printTable } from "../presenter/result-presenter.ts";
import { printRun } from "../presenter/run-presenter.ts";
import type { CliServices, CliStreams, Development } from "./cli-services.ts";

const dataset = "flights";
const days = ["05", "06", "07", "08", "09", "10", "11"].map((day) => `2013-02-${day}`);
const shownDay = "2013-02-08";
const shownRows = 8;

/** Seven days of real departures through a real Temporal server, and what they came to. Ends by itself. */
export async function demo(
  services: CliServices,
  json: boolean,
  streams: CliStreams,
  signal: AbortSignal,
): Promise<void> {
  const say = (text: string) => (json ? undefined : streams.out(`${text}\n`));
  say("Seven days of flights from New York, February 2013, a blizzard on the 8th.");
  say("Starting a Temporal server and a worker …");
  await using development = await services.demo((sentence) => streams.err(`${sentence}\n`));
  say(`Temporal answers at ${development.address}, and its pages at ${development.uiUrl}.\n`);

  const outputs = await Promise.race([runDays(development, say, streams, signal), development.failed]);
  if (json) {
    streams.out(`${printJson(outputs.map(({ date, outcome, rows }) => ({ dataset, date, outcome, rows })))}\n`);
    return;
  }
  await tell(development, outputs, say, streams.width);
}

async function runDays(
  { submit }: Development,
  say: (text: string) => void,
  streams: CliStreams,
  signal: AbortSignal,
): Promise<RunAnalysisOutput[]> {
  const progress = createProgress(streams.err, streams.interactive);
  const runs = await Promise.all(days.map((date) => submit.submit({ dataset, date })));
  const outputs: RunAnalysisOutput[] = [];
  for (const run of runs) {
    signal.throwIfAborted();
    progress.show(`${outputs.length} of ${days.length} days done, waiting for ${run.date}`);
    const output = await submit.wait(run).finally(progress.clear);
    outputs.push(output);
    say(printRun(output));
  }
  return outputs;
}

async function tell(
  { show, storeUrl, dbFile }: Development,
  outputs: readonly RunAnalysisOutput[],
  say: (text: string) => void,
  width: number,
): Promise<void> {
  const published = outputs.filter(({ outcome }) => outcome === "published").length;
  const rest = outputs.length - published;
  say(`\n${count(published, "day")} published${rest === 0 ? "" : `, ${rest} unchanged`}.`);

  const { rows, manifest } = await show.show(dataset, shownDay, shownRows);
  const columns = manifest.result.columns.map((column) => column.name);
  say(`\nThe first ${shownRows} of ${manifest.result.rows} carriers on ${shownDay}:`);
  const table = rows.map((row) => columns.map((column) => row[column] ?? null));
  say(printTable(columns, table, width));
  say(`\nHow that result came to be, ${storeUrl}/${dataset}/${shownDay}/manifest.json:`);
  say(printJson(manifest, 2));
  say(`
The results are ordinary Parquet files:  ${storeUrl}/${dataset}/<date>/result.parquet
One more look at a result:               npm run analysis -- show ${dataset} ${shownDay}
The runs in Temporal's own pages:        npm run analysis -- dev    (its database is kept in ${dbFile})`);
}
