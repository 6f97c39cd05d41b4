import { type Fence, parseFence } from "../../src/domain/value-object/fence.ts";
import { parseRunId, type RunId } from "../../src/domain/value-object/run-id.ts";
import type { RunMode } from "../../src/domain/value-object/run-mode.ts";
import { parseTargetDate, type TargetDate } from "../../src/domain/value-object/target-date.ts";
import { type Fault, faults, type Operation, possible } from "./faulty-store.ts";
import { createRandom, type Random } from "./random.ts";

export const breaks = ["no-fence", "same-bytes"] as const;

/** `no-fence`: a run takes everything published for older. `same-bytes`: results carry no stamp of their run. */
export type Break = (typeof breaks)[number];

export type Run = {
  readonly runId: RunId;
  readonly fence: Fence;
  readonly mode: RunMode;
  readonly date: TargetDate;
  readonly startMs: number;
  /** How many more times it asks after its last try. */
  readonly asksAgain: number;
};

export type Reader = { readonly name: string; readonly date: TargetDate; readonly looks: number };

/** An operation of a run: in which of its attempts, and as which operation of it. Both count from 1. */
export type Moment = { readonly runId: RunId; readonly attempt: number; readonly count: number };

export type Scenario = {
  readonly seed: number;
  readonly runs: readonly Run[];
  readonly readers: readonly Reader[];
  readonly faultAt: (moment: Moment, operation: Operation, random: Random) => Fault | undefined;
  readonly broken?: Break | undefined;
};

/** Virtual time starts here. */
export const startedAt = Date.parse("2026-02-06T06:00:00.000Z");

/** The probability of each fault at one operation in a world that is full of it. */
const mostOf: Readonly<Record<Fault, number>> = {
  "crash before": 0.03,
  "crash after": 0.03,
  reset: 0.06,
  "lost answer": 0.08,
  "late effect": 0.06,
  refused: 0.15,
  "refused after effect": 0.12,
  "held back": 0.15,
  zombie: 0.06,
};

export function randomScenario(seed: number, broken?: Break): Scenario {
  const random = createRandom(~seed);
  const dates = random.chance(0.7) ? ["2026-02-05"] : ["2026-02-05", "2026-02-04"];
  const count = 2 + random.below(7);
  const withinMs = random.pick([1, 40, 300]);
  const runs = Array.from({ length: count }, (_, index) =>
    runOf({
      runId: `run-${index + 1}`,
      // Fewer instants than runs: some fences are equal.
      second: random.below(count),
      mode: random.pick(["changed", "changed", "force", "missing"]),
      date: dates[index % dates.length],
      startMs: random.below(withinMs),
      asksAgain: random.chance(0.3) ? 1 : 0,
    }),
  );
  const readers = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
    name: `reader-${index + 1}`,
    date: parseTargetDate(dates[index % dates.length]),
    looks: 12,
  }));
  // Half of the faults do not occur at all in a world, so that the others get far.
  const rates = faults.map((fault) => ({ fault, rate: random.chance(0.5) ? random.next() * mostOf[fault] : 0 }));
  return {
    seed,
    runs,
    readers,
    broken,
    faultAt(_, operation, chance) {
      // A commit that comes late meets what others have committed meanwhile.
      const factor = operation.conditional && operation.key.endsWith("/result.parquet") ? 3 : 1;
      return rates.find(({ fault, rate }) => possible(fault, operation) && chance.chance(rate * factor))?.fault;
    },
  };
}

export function runOf(run: {
  readonly runId: string;
  /** Its fence, after the start of virtual time. */
  readonly second: number;
  readonly mode: RunMode;
  readonly date?: string | undefined;
  readonly startMs?: number;
  readonly asksAgain?: number;
}): Run {
  return {
    runId: parseRunId(run.runId),
    fence: parseFence(new Date(startedAt + run.second * 1000).toISOString()),
    mode: run.mode,
    date: parseTargetDate(run.date ?? "2026-02-05"),
    startMs: run.startMs ?? 0,
    asksAgain: run.asksAgain ?? 0,
  };
}
