import { setTimeout as sleep } from "node:timers/promises";
import { StoreUnavailable } from "../../domain/model/failure.ts";
import type { StatusReport } from "../../usecase/dto/status-report.ts";
import type { StatusUseCase } from "../../usecase/ports/input/status-usecase.ts";
import { presentFailure } from "../presenter/failure-presenter.ts";
import { printJson } from "../presenter/json-presenter.ts";
import { printRebuild, printStatus, printStatusLines } from "../presenter/status-presenter.ts";
import { aborted } from "../stop-requested.ts";
import type { CliServices, CliStreams } from "./cli-services.ts";

export type StatusOptions = {
  readonly json?: true;
  readonly from?: string;
  readonly to?: string;
  readonly rebuild?: true;
  readonly watch?: true | number;
  readonly withoutTemporal?: true;
};

const usualSeconds = 5;
const clearScreen = "\u001b[2J\u001b[H";

/** What is there and what is missing: once, or again and again until the signal. */
export async function status(
  services: CliServices,
  options: StatusOptions & { readonly dataset: string | undefined },
  streams: CliStreams,
  signal: AbortSignal,
): Promise<void> {
  const { dataset, from, to, json, withoutTemporal = false } = options;
  const request = {
    ...(dataset === undefined ? {} : { dataset }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    fromStoreAlone: withoutTemporal,
  };
  await using borrowed = await services.status();
  const { useCase } = borrowed;
  const rebuilt = options.rebuild === true ? await useCase.rebuild(dataset) : undefined;
  if (rebuilt !== undefined && json !== true) streams.out(`${printRebuild(rebuilt)}\n\n`);
  const ask = () => useCase.status(request);
  if (options.watch === undefined) {
    const report = await ask();
    streams.out(`${json === true ? printJson({ ...report, ...(rebuilt ? { rebuilt } : {}) }) : printStatus(report)}\n`);
    return;
  }
  const seconds = options.watch === true ? usualSeconds : options.watch;
  await watch(ask, { seconds, json: json === true }, streams, signal);
}

/** On a terminal the calendar is drawn anew; elsewhere lines tell what has changed. A store that goes away is waited for. */
async function watch(
  ask: () => ReturnType<StatusUseCase["status"]>,
  { seconds, json }: { readonly seconds: number; readonly json: boolean },
  streams: CliStreams,
  signal: AbortSignal,
): Promise<void> {
  const stopped = aborted(signal).then(() => undefined);
  let last: string | undefined;
  while (!signal.aborted) {
    try {
      const report = await Promise.race([ask(), stopped]);
      if (report === undefined) return;
      last = show(report, last);
    } catch (error) {
      if (last === undefined || !(error instanceof StoreUnavailable)) throw error;
      const { message } = presentFailure(error);
      if (message !== last) streams.err(`${message}\n`);
      last = message;
    }
    await sleep(seconds * 1000, undefined, { signal }).catch(() => undefined);
  }

  function show(report: StatusReport, before: string | undefined): string {
    const { at, ...rest } = report;
    if (streams.redraws && !json) {
      streams.out(`${clearScreen}${printStatus(report)}\n${at}, every ${seconds} s until Ctrl-C\n`);
      return at;
    }
    const text = json ? printJson(rest) : printStatusLines(report);
    if (text !== before) streams.out(json ? `${printJson(report)}\n` : `${at}\n${text}\n`);
    return text;
  }
}
