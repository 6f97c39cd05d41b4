import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { failureOf } from "../../domain/model/failure.ts";
import type { BackfillProgress, BackfillReport } from "../../usecase/dto/backfill.ts";
import type { BackfillUseCase, SubmittedBackfill } from "../../usecase/ports/input/backfill-usecase.ts";
import { printBackfill, printCounts } from "../presenter/backfill-presenter.ts";
import { printJson } from "../presenter/json-presenter.ts";
import { printPlan } from "../presenter/plan-presenter.ts";
import { createProgress, type Progress } from "../presenter/progress-presenter.ts";
import { count } from "../presenter/result-presenter.ts";
import type { CliServices, CliStreams } from "./cli-services.ts";
import { untilStopped } from "./until-stopped.ts";

type Json = { readonly json?: true };
type PlanOptions = Json & { readonly withoutTemporal?: boolean };
type BackfillOptions = Json & {
  readonly window?: number;
  readonly mode?: string;
  readonly plan?: string;
  readonly wait: boolean;
};

const askEveryMs = 500;

/** @param command adds a command to the program, with what all of them have */
export function addBackfillCommands(
  command: (line: string, description: string, parent?: Command) => Command,
  services: CliServices,
  streams: CliStreams,
  signal: AbortSignal,
): void {
  const print = (text: string) => streams.out(`${text}\n`);
  const createBar = () => createProgress(streams.err, streams.interactive);

  command("plan <dataset> <from> <to>", "what a backfill would do for each date, and why; changes nothing")
    .option("--without-temporal", "from the source and the store alone")
    .action(async (dataset: string, from: string, to: string, { json, withoutTemporal = false }: PlanOptions) => {
      await using plan = await services.plan();
      const progress = createProgress(streams.err, streams.interactive);
      const onDate = (done: number, total: number) => {
        if (streams.interactive) progress.advance(done, total, "dates looked at");
      };
      const planning = plan.useCase.plan(dataset, from, to, { signal, withoutTemporal, onDate });
      const planned = await untilStopped(planning, signal).finally(progress.clear);
      print(json ? printJson(planned) : printPlan(planned, streams.width));
    });

  const backfill = command("backfill <dataset> <from> <to>", "hand a range of dates to Temporal and wait for its end")
    .option("--window <dates>", "dates at a time; default: 4", parseDates)
    .option("--mode <mode>", "changed, missing or force")
    .option("--plan <hash>", "refuse when the world has moved since that plan")
    .option("--no-wait", "return when the backfill is accepted")
    .action(async (dataset: string, from: string, to: string, options: BackfillOptions) => {
      const { json, window, mode, plan, wait } = options;
      await using wired = await services.backfill();
      const started = await untilStopped(
        wired.useCase.start(
          {
            dataset,
            from,
            to,
            ...(window === undefined ? {} : { window }),
            ...(mode === undefined ? {} : { mode }),
            ...(plan === undefined ? {} : { planHash: plan }),
          },
          signal,
        ),
        signal,
      );
      if (!wait) {
        const sentence = `${count(started.total, "date")} of ${dataset} submitted as ${started.workflowId}, run ${started.runId}`;
        print(json ? printJson(started) : sentence);
        return;
      }
      const report = await untilStopped(follow(wired.useCase, started, createBar()), signal);
      print(json ? printJson(report) : printBackfill(report, streams.width));
      throwFirstFailure(report);
    });

  /** Acts on the backfill that is running. */
  const steer = (
    name: "pause" | "resume",
    description: string,
    work: (useCase: BackfillUseCase, dataset: string) => Promise<void>,
  ) =>
    command(`${name} <dataset>`, description, backfill).action(async (dataset: string, { json }: Json) => {
      await using wired = await services.backfill();
      await work(wired.useCase, dataset);
      print(json ? printJson({ dataset, asked: name }) : `${dataset}: asked the backfill to ${name}`);
    });
  steer("pause", "begin no further date; those under way end", (useCase, dataset) => useCase.pause(dataset));
  steer("resume", "go on after a pause", (useCase, dataset) => useCase.resume(dataset));
  command("window <dataset> <dates>", "change how many dates run at a time", backfill).action(
    async (dataset: string, text: string, { json }: Json) => {
      await using wired = await services.backfill();
      const window = parseDates(text);
      await wired.useCase.setWindow(dataset, window);
      print(json ? printJson({ dataset, window }) : `${dataset}: ${count(window, "date")} at a time`);
    },
  );
  command("status <dataset>", "how far the last backfill is", backfill).action(
    async (dataset: string, { json }: Json) => {
      await using wired = await services.backfill();
      const progress = await wired.useCase.progress(dataset);
      print(json ? printJson(progress) : printBackfill(progress, streams.width));
    },
  );

  command("cancel <dataset> [date]", "end the run of a date, or the backfill of the dataset").action(
    async (dataset: string, date: string | undefined, { json }: Json) => {
      await using wired = await services.backfill();
      const canceled = await untilStopped(wired.useCase.cancel(dataset, date), signal);
      const { workflowId, wasRunning } = canceled;
      print(json ? printJson(canceled) : `${workflowId} ${wasRunning ? "has ended" : "was not running"}`);
    },
  );
}

/** The bar goes by what the workflow tells now and then; a worker that is away tells nothing, and the wait goes on. */
async function follow(useCase: BackfillUseCase, started: SubmittedBackfill, bar: Progress): Promise<BackfillReport> {
  const stop = new AbortController();
  const watching = (async () => {
    while (!stop.signal.aborted) {
      await sleep(askEveryMs, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return;
      const progress = await useCase.progress(started.dataset).catch(() => undefined);
      if (progress !== undefined && !stop.signal.aborted) tell(progress);
    }
  })();
  try {
    return await useCase.wait(started);
  } finally {
    stop.abort();
    bar.clear();
    await watching;
  }

  function tell(progress: BackfillProgress): void {
    const { done, total, state } = progress;
    bar.advance(done, total, [state === "running" ? "" : `${state}; `, printCounts(progress)].join(""));
  }
}

/** A backfill with failed dates has ended as it should, and yet a script must not take it for a success. */
function throwFirstFailure({ dataset, counts, failures }: BackfillReport): void {
  const [first] = failures;
  if (first === undefined) return;
  const others = counts.failed > 1 ? ` and ${count(counts.failed - 1, "other date")}` : "";
  throw failureOf(first.code, `${dataset} ${first.date}${others} failed: ${first.message}`, {
    failed: counts.failed,
    failures,
  });
}

function parseDates(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("expected a number of dates.");
  return Number(text);
}
