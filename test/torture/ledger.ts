import type { Intent } from "../simulation/history.ts";
import type { Looks } from "./readers.ts";
import { type Answer, type Fault, type FaultKind, type Phase, phases } from "./verdict.ts";

export const entryPoints = ["job", "worker"] as const;
export type EntryPoint = (typeof entryPoints)[number];

/** What has happened to one store. */
export type Ledger = {
  /** What they have hit. */
  readonly kills: Record<EntryPoint, Record<Phase, number>>;
  /** Starts of a process for a run that had one before. */
  restarts: number;
  secondKills: number;
  newerRuns: number;
  twins: number;
  /** Attempts that ended with a failure that may be tried again, by its code. */
  readonly retried: Map<string, number>;
  /** Processes that ended with any other failure. */
  failed: number;
  readonly intents: Map<string, Intent[]>;
  readonly answers: Map<string, Answer[]>;
  /** By their sentences: what stays wrong is seen again and again. */
  readonly faults: Map<string, FaultKind>;
  reads: Looks;
};

export function emptyLedger(): Ledger {
  const none = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>;
  return {
    kills: { job: { ...none }, worker: { ...none } },
    restarts: 0,
    secondKills: 0,
    newerRuns: 0,
    twins: 0,
    retried: new Map(),
    failed: 0,
    intents: new Map(),
    answers: new Map(),
    faults: new Map(),
    reads: { looks: 0, opened: 0 },
  };
}

export function noteFaults(ledger: Ledger, faults: readonly Fault[]): void {
  for (const { kind, sentence } of faults) ledger.faults.set(sentence, kind);
}

export function killsOf({ kills }: Ledger, ...mains: readonly EntryPoint[]): number {
  return mains.flatMap((main) => Object.values(kills[main])).reduce((sum, count) => sum + count, 0);
}

export function printLedger(name: string, ledger: Ledger, seconds: number): string {
  const { kills, reads, faults } = ledger;
  const count = (kind: FaultKind) => [...faults.values()].filter((each) => each === kind).length;
  const listed = (numbers: Iterable<readonly [string, number]>) =>
    [...numbers].map(([what, number]) => `${what} ${number}`).join(", ");
  const answered = Map.groupBy([...ledger.answers.values()].flat(), ({ outcome }) => outcome);
  const rows = [
    ["kills", `${killsOf(ledger, ...entryPoints)} in ${Math.round(seconds)} s`],
    ...entryPoints.map((main) => [main, `${killsOf(ledger, main)} (${listed(Object.entries(kills[main]))})`]),
    ["restarts", `${ledger.restarts} (${ledger.secondKills} killed again)`],
    ["meanwhile", `${ledger.newerRuns} newer runs, ${ledger.twins} twins`],
    ["answers", listed([...answered].map(([outcome, all]) => [outcome, all.length]))],
    ...(ledger.retried.size === 0 ? [] : [["retried", listed(ledger.retried)]]),
    ["reader looks", `${reads.looks} (${reads.opened} opened by Polars)`],
    ...(["lost", "mixed", "backwards", "other"] as const).map((kind) => [kind, String(count(kind))]),
  ];
  const lines = rows.map(([what, value]) => `  ${`${what}:`.padEnd(14)}${value}`);
  const sentences = [...faults.keys()].slice(0, 10).map((sentence) => `  - ${sentence}`);
  return [name, ...lines, ...sentences].join("\n");
}
