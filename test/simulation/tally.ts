import { type Fault, faults } from "./faulty-store.ts";
import type { Scenario } from "./scenario.ts";
import type { Outcome } from "./world.ts";

/** What happened in some worlds, in numbers. */
export type Tally = {
  worlds: number;
  runs: number;
  attempts: number;
  commits: number;
  observations: number;
  violations: number;
  readonly faults: Record<Fault, number>;
};

export function emptyTally(): Tally {
  const none = Object.fromEntries(faults.map((fault) => [fault, 0])) as Record<Fault, number>;
  return { worlds: 0, runs: 0, attempts: 0, commits: 0, observations: 0, violations: 0, faults: none };
}

export function addTo(tally: Tally, { runs }: Scenario, { log, violations }: Outcome): void {
  const attempts = new Set<string>();
  for (const { actor, event } of log) {
    if (event.type === "step") {
      if (actor.includes("/")) attempts.add(actor);
      if (event.fault !== undefined) tally.faults[event.fault] += 1;
    }
    if (event.type === "wrote" && event.key.endsWith("/result.parquet")) tally.commits += 1;
    if (event.type.startsWith("saw-") || event.type === "searched") tally.observations += 1;
  }
  tally.worlds += 1;
  tally.runs += runs.length;
  tally.attempts += attempts.size;
  tally.violations += violations.length;
}

export function printTally(tally: Tally): string {
  const injected = Object.entries(tally.faults).filter(([fault]) => fault !== "zombie");
  const kinds = injected.map(([fault, count]) => `${fault} ${count}`).join(", ");
  return [
    `runs: ${tally.worlds}`,
    `writers: ${tally.runs}`,
    `attempts: ${tally.attempts}`,
    `commits: ${tally.commits}`,
    `faults: ${injected.reduce((sum, [, count]) => sum + count, 0)} (${kinds})`,
    `zombies: ${tally.faults.zombie}`,
    `reader observations: ${tally.observations}`,
    `violations: ${tally.violations}`,
  ].join("\n");
}
