import type { Intent } from "../simulation/history.ts";
import type { Random } from "../simulation/random.ts";
import type { Ended, Running } from "../support/service.ts";
import { killsOf, noteFaults } from "./ledger.ts";
import { dataset, dates } from "./store-access.ts";
import type { World } from "./world.ts";

const limitMs = 60_000;
const mostAttempts = 5;
/** Beyond this the service does not work at all. */
const mostFailures = 5;
/** Kills come until this much of the usual time of `save` is over. */
const reach = 1.1;
const newest = 15;
/** Failures of which a job is started again, as docs/failures.md has it. */
const passing = new Set(["store-unavailable", "source-unavailable", "input-changed"]);

/** How long `save` takes, as it goes on. */
export type Pace = { readonly usualMs: () => number; readonly add: (ms: number) => void };

export function createPace(): Pace {
  const times: number[] = [];
  return {
    usualMs: () => times.slice(-newest).toSorted((a, b) => a - b)[Math.floor(Math.min(times.length, newest) / 2)] ?? 0,
    add: (ms) => void times.push(ms),
  };
}

/** Without any kill. */
export async function measurePace(world: World, pace: Pace, runs: number): Promise<void> {
  const date = dates[0] ?? "";
  for (let run = 0; run < runs; run += 1) {
    await world.newInput(date);
    await finish(world, date, world.intend(date), pace);
  }
  await world.check(date);
}

/** Kills jobs while they save, and lets others finish what they have begun. */
export async function killJobs(
  world: World,
  pace: Pace,
  { random, kills, onKill }: { readonly random: Random; readonly kills: number; readonly onKill: () => void },
): Promise<void> {
  const { ledger } = world;
  const more = () => killsOf(ledger, "job") < kills;
  const kill = async (date: string, intent: Intent) => {
    const killed = more() && (await killInSave(world, date, intent, random.next() * reach * pace.usualMs()));
    if (killed) onKill();
    return killed;
  };
  for (let round = 0; more(); round += 1) {
    if (round > 3 * kills + 10) throw new Error(`${round} jobs were to be killed, and most had ended before`);
    const date = dates[round % dates.length] ?? "";
    const plan = { again: random.chance(0.3), newer: random.chance(0.2), twin: random.chance(0.1) };
    world.readers.watch(date);
    await world.newInput(date);
    const intent = world.intend(date);
    await kill(date, intent);
    if (plan.again && more()) {
      ledger.restarts += 1;
      if (await kill(date, intent)) ledger.secondKills += 1;
    }
    ledger.restarts += plan.twin ? 2 : 1;
    ledger.twins += plan.twin ? 1 : 0;
    ledger.newerRuns += plan.newer ? 1 : 0;
    const newer = plan.newer ? world.intend(date) : undefined;
    if (newer !== undefined) await world.newInput(date);
    const alone = !plan.twin && newer === undefined;
    await Promise.all([
      finish(world, date, intent, alone ? pace : undefined),
      ...(plan.twin ? [finish(world, date, intent)] : []),
      ...(newer === undefined ? [] : [finish(world, date, newer)]),
    ]);
    await world.check(date);
  }
}

/** Whether the job was there to be killed: it may have had nothing to save, or have ended. */
async function killInSave(world: World, date: string, intent: Intent, delayMs: number): Promise<boolean> {
  const { limits, ledger } = world;
  const job = startJob(world, date, intent);
  const saves = await limits.within(limitMs, `the way to save of ${intent.runId}`, saving(job));
  if (saves) {
    if (delayMs >= 1) await limits.sleep(delayMs);
    job.kill("SIGKILL");
  }
  const ended = await limits.within(limitMs, `the end of ${intent.runId}`, job.ended);
  if (ended.signal !== "SIGKILL") {
    noteEnd(world, date, intent, ended);
    return false;
  }
  ledger.kills.job[await world.seePhase(date, intent.runId)] += 1;
  return true;
}

/** Starts the job until it has its answer, as whoever watches over jobs would. */
async function finish(world: World, date: string, intent: Intent, pace?: Pace): Promise<void> {
  for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
    const job = startJob(world, date, intent);
    const saves = await world.limits.within(limitMs, `the way to save of ${intent.runId}`, saving(job));
    const started = performance.now();
    if (saves && pace !== undefined) {
      await world.limits.within(limitMs, `save of ${intent.runId}`, job.wrote('"outcome"')).then(
        () => pace.add(performance.now() - started),
        () => undefined,
      );
    }
    const ended = await world.limits.within(limitMs, `the end of ${intent.runId}`, job.ended);
    world.limits.check();
    if (noteEnd(world, date, intent, ended) === "settled") return;
  }
  const sentence = `${intent.runId} of ${date} had no answer after ${mostAttempts} attempts`;
  noteFaults(world.ledger, [{ kind: "other", sentence }]);
}

function noteEnd({ ledger }: World, date: string, intent: Intent, { status, signal, out, err }: Ended) {
  if (status === 0) {
    const { outcome, manifest } = JSON.parse(out);
    const answers = ledger.answers.get(date) ?? [];
    ledger.answers.set(date, [...answers, { ...intent, outcome, manifest: manifest.key }]);
    return "settled";
  }
  const code = /"code":"([a-z-]+)"/.exec(err)?.[1] ?? `${signal ?? status}`;
  if (passing.has(code)) {
    ledger.retried.set(code, (ledger.retried.get(code) ?? 0) + 1);
    return "passing";
  }
  const sentence = `the job ${intent.runId} of ${date} ended with ${signal ?? status}: ${err.trim().slice(-500)}`;
  noteFaults(ledger, [{ kind: "other", sentence }]);
  ledger.failed += 1;
  if (ledger.failed > mostFailures) throw new Error(`gave up after ${ledger.failed} jobs had failed`);
  return "settled";
}

function startJob({ service }: World, date: string, { runId, fence }: Intent): Running {
  return service.start("job", [], { DATASET: dataset, TARGET_DATE: date, RUN_ID: runId, FENCE: fence, MODE: "force" });
}

/** Settles when the job saves, or has ended without. */
function saving(job: Running): Promise<boolean> {
  return job.wrote("analyze\nsave\n").then(
    () => true,
    () => false,
  );
}
