import { randomUUID } from "node:crypto";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { BadRequest } from "../../domain/model/failure.ts";
import type { ScheduleChange } from "../../usecase/dto/schedule-report.ts";
import { failureJson, presentFailure } from "../presenter/failure-presenter.ts";
import { printHistory } from "../presenter/history-presenter.ts";
import { printJson } from "../presenter/json-presenter.ts";
import { createProgress } from "../presenter/progress-presenter.ts";
import { printResult, printTable } from "../presenter/result-presenter.ts";
import { printRun } from "../presenter/run-presenter.ts";
import {
  printNotDone,
  printPlannedChanges,
  printScheduleReport,
  printSchedules,
} from "../presenter/schedule-presenter.ts";
import { printSweep } from "../presenter/sweep-presenter.ts";
import { Stopped } from "../stop-requested.ts";
import { addBackfillCommands } from "./backfill-commands.ts";
import type { CliServices, CliStreams } from "./cli-services.ts";
import { demo } from "./demo-command.ts";
import { dev } from "./dev-command.ts";
import { doctor } from "./doctor-command.ts";
import { type StatusOptions, status } from "./status-command.ts";
import { untilStopped } from "./until-stopped.ts";

type JsonOption = { readonly json?: true };
type SweepOptions = JsonOption & {
  readonly olderThan?: number;
  readonly dryRun?: boolean;
  readonly withoutTemporal?: boolean;
};
type ModeOption = JsonOption & { readonly mode?: string; readonly adopt?: boolean };

const adoptDescription = "replace an object at the result's key that this service did not write";

/**
 * Carries out one command line.
 * @param args what follows the program's name
 * @param signal aborted at a first Ctrl-C, with the reason to show
 * @returns the exit status of docs/failures.md
 */
export async function runCli(
  args: readonly string[],
  services: CliServices,
  streams: CliStreams,
  signal: AbortSignal,
): Promise<number> {
  const program = createProgram(services, streams, signal);
  try {
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error = signal.aborted
      ? thrown instanceof Stopped
        ? thrown
        : signal.reason
      : thrown instanceof CommanderError
        ? malformed(thrown, program)
        : thrown;
    const { code, message, exitStatus } = presentFailure(error);
    streams.err(args.includes("--json") ? `${printJson(failureJson(error))}\n` : `${code}: ${message}\n`);
    return exitStatus;
  }
}

function malformed({ code, message }: CommanderError, program: Command): BadRequest {
  if (code !== "commander.help") return new BadRequest(message.replace(/^error: /, ""));
  const names = program.commands.map((command) => command.name());
  return new BadRequest(`expected a command: ${names.join(", ")}; --help tells more`);
}

function createProgram(services: CliServices, streams: CliStreams, signal: AbortSignal): Command {
  const print = (text: string) => streams.out(`${text}\n`);
  const progress = createProgress(streams.err, streams.interactive);
  const program = new Command("analysis")
    .description("Turns one dataset and one date into one trusted result.")
    .version(services.version)
    .exitOverride()
    .configureOutput({ writeOut: streams.out, writeErr: () => {} })
    .enablePositionalOptions()
    .showSuggestionAfterError();

  /** Every command speaks JSON, and all are children of one program with its overrides. */
  const command = (line: string, description: string, parent: Command = program) =>
    parent.command(line).description(description).option("--json", "print JSON").allowExcessArguments(false);

  command("run <dataset> <date>", "calculate and publish one date in this process; needs no server")
    .option("--mode <mode>", "changed, missing or force")
    .option("--adopt", adoptDescription)
    .action(async (dataset: string, date: string, { json, mode = "", adopt = false }: ModeOption) => {
      await using run = await services.run();
      const fence = (await run.now()).toISOString();
      const input = { dataset, date, mode, adopt, runId: randomUUID(), fence };
      const output = await run.useCase
        .run(input, { signal, onStep: (step) => progress.show(`${dataset} ${date}: ${step}`) })
        .finally(progress.clear);
      print(json ? printJson(output) : printRun(output));
    });

  command("submit <dataset> <date>", "hand one date to Temporal and wait for its end")
    .option("--mode <mode>", "changed, missing or force")
    .option("--adopt", adoptDescription)
    .option("--no-wait", "return when the run is accepted")
    .action(async (dataset: string, date: string, options: ModeOption & { readonly wait: boolean }) => {
      await using submit = await services.submit();
      const request = { dataset, date, mode: options.mode ?? "", adopt: options.adopt ?? false };
      const run = await untilStopped(submit.useCase.submit(request), signal);
      if (!options.wait) {
        print(options.json ? printJson(run) : `${dataset} ${date} submitted as ${run.workflowId}, run ${run.runId}`);
        return;
      }
      progress.show(`${dataset} ${date}: waiting for ${run.workflowId}`);
      const output = await untilStopped(submit.useCase.wait(run), signal).finally(progress.clear);
      print(options.json ? printJson(output) : printRun(output));
    });

  addBackfillCommands(command, services, streams, signal);

  command("show <dataset> <date>", "print the published result of one date")
    .option("--limit <rows>", "the most rows to print", parseCount)
    .action(async (dataset: string, date: string, { json, limit }: JsonOption & { readonly limit?: number }) => {
      await using show = await services.show();
      const result = await show.useCase.show(dataset, date, limit ?? (json ? undefined : 50));
      print(json ? printJson(result) : printResult(result, streams.width));
    });

  command("status [dataset]", "a calendar of what is published, missing, late, running and failed")
    .option("--from <date>", "the first date; default: the first that is published")
    .option("--to <date>", "the last date; default: the newest that is expected by now")
    .option("--rebuild", "make the index of results anew from the manifests first")
    .option("--watch [seconds]", "again and again until Ctrl-C, every 5 seconds", parseSeconds)
    .option("--without-temporal", "from the store alone")
    .action((dataset: string | undefined, options: StatusOptions) =>
      status(services, { dataset, ...options }, streams, signal),
    );

  command("history <dataset> <date>", "every result that was published for one date, the newest first")
    .option("--limit <results>", "the most results to print", parseLimit)
    .action(async (dataset: string, date: string, { json, limit }: JsonOption & { readonly limit?: number }) => {
      await using history = await services.history();
      const report = await history.useCase.history(dataset, date, limit);
      print(json ? printJson(report) : printHistory(report, streams.width));
    });

  command("datasets", "list the definitions").action(async ({ json }: JsonOption) => {
    const entries = (await services.catalog()).list().map(({ id, file, digest, definition }) => ({
      id,
      title: definition.title,
      source: definition.source.uri,
      timeZone: definition.timeZone,
      schedule: definition.schedule ?? null,
      file,
      digest,
    }));
    const rows = entries.map(({ id, title, timeZone, schedule }) => [id, title, timeZone, schedule]);
    print(json ? printJson(entries) : printTable(["id", "title", "time zone", "schedule"], rows, streams.width));
  });

  command("doctor", "check this machine, the definitions, the store and Temporal").action(({ json }: JsonOption) =>
    doctor(services.doctor(), json === true, print),
  );

  command("setup", "search attributes and the daily sweep in the Temporal namespace; may be repeated").action(
    async ({ json }: JsonOption) => {
      const result = await services.setup();
      const { namespace, registered, schedule } = result;
      const attributes =
        registered.length === 0 ? "no search attribute was missing" : `registered ${registered.join(", ")}`;
      const sentence = `namespace ${namespace}: ${attributes}; ${schedule.outcome} the schedule ${schedule.id}`;
      print(json ? printJson(result) : sentence);
    },
  );

  const schedules = command("schedules", "list the daily schedules, and what is not as the definitions have it").action(
    async ({ json }: JsonOption) => {
      await using managed = await services.schedules();
      const list = await untilStopped(managed.useCase.list(), signal);
      print(json ? printJson(list) : printSchedules(list, streams.width));
    },
  );

  schedules
    .command("apply")
    .description("make the schedules in Temporal those of the definitions")
    .option("--dry-run", "change nothing, only tell")
    .option("--json", "print JSON")
    .allowExcessArguments(false)
    .action(async (_options: unknown, own: Command) => {
      const { json, dryRun = false } = own.optsWithGlobals<JsonOption & { readonly dryRun?: boolean }>();
      await using managed = await services.schedules();
      const left = new Map<string, ScheduleChange>();
      const applying = managed.useCase.apply({
        dryRun,
        signal,
        onPlan: (changes) => {
          if (!dryRun) for (const each of changes) if (each.action !== "keep") left.set(each.id, each);
          if (json !== true) print(printPlannedChanges(changes, streams.width));
        },
        onDone: ({ id }) => void left.delete(id),
      });
      const report = await untilStopped(applying, signal).catch((error: unknown) => {
        if (!(error instanceof Stopped) || left.size === 0) throw error;
        const notDone = [...left.values()];
        throw error.leaving(printNotDone(notDone), { notDone });
      });
      print(json ? printJson(report) : printScheduleReport(report));
    });

  command("sweep", "remove what crashes left behind, and refused results, when they are old")
    .option("--older-than <hours>", "keep what is younger, and what a live run owns in any case", parseHours)
    .option("--dry-run", "remove nothing, only tell")
    .option("--without-temporal", "go by age alone: nothing may be running that is younger")
    .action(async ({ json, olderThan, dryRun = false, withoutTemporal = false }: SweepOptions) => {
      await using sweep = await services.sweep();
      const limit = olderThan === undefined ? {} : { olderThanHours: olderThan };
      progress.show("sweeping");
      const report = await sweep.useCase
        .sweep({ ...limit, dryRun, byAgeAlone: withoutTemporal }, { signal })
        .finally(progress.clear);
      print(json ? printJson(report) : printSweep(report, streams.width));
    });

  command("dev", "Temporal's development server, a worker and the API, until Ctrl-C").action(({ json }: JsonOption) =>
    dev(services, json === true, streams, signal),
  );

  command("demo", "seven real days through the workflow, from start to result").action(({ json }: JsonOption) =>
    demo(services, json === true, streams, signal),
  );

  return program;
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a number of rows.");
  return Number(text);
}

function parseLimit(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a number of results.");
  return Number(text);
}

function parseSeconds(text: string): number {
  if (!/^\d{1,5}(?:\.\d{1,3})?$/.test(text) || Number(text) < 1) {
    throw new InvalidArgumentError("expected a number of seconds, 1 or more.");
  }
  return Number(text);
}

function parseHours(text: string): number {
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError("expected a number of hours.");
  return Number(text);
}
